/** The table of all settings: what each accepts, its default, and what it is for. */

import { JSON_DEPTH_MAX } from "@durable-streams-cloudflare/protocol";

import { choice, integer, secret, type Setting } from "./setting-kinds.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** Bytes of the largest RPC message that we send to an object; the platform's limit is 32 MiB. */
const RPC_BYTES_MAX = 30 * MIB;

/** Clients send all waiting messages as one array, whatever its size. */
export const ARRAY_FACTOR = 1.6;
const APPEND_BYTES_LIMIT = Math.floor(RPC_BYTES_MAX / ARRAY_FACTOR);

/** What is not a stream: no base path of streams may be one of these, or lie below one. */
const OTHER_PATHS = "v1|(?:v1/projects|v1/estuary|healthz|readyz|metrics)(?:/.*)?";

export const SETTINGS = {
  TENANCY: choice("path", ["path", "single"], "path: /v1/stream/<project>/<stream>; single: /v1/stream/<stream>"),
  STREAM_BASE_PATH: {
    kind: "text",
    default: "/v1/stream",
    pattern: new RegExp(`^(?!/(?:${OTHER_PATHS})/?$)(?:/(?!\\.{1,2}(?:/|$))[\\w.~-]{1,64}){1,8}/?$`),
    expects:
      "a path such as /v1/stream, of letters, digits and . _ ~ -, that is not the path of something else " +
      "(/, /v1, /v1/projects, /v1/estuary, /healthz, /readyz, /metrics)",
    about:
      "the path that the URLs of streams begin with, in place of /v1/stream; URLs given out before a change stop working",
  },
  AUTH_MODE: choice(
    "project",
    ["project", "trusted-header", "none"],
    "project: requests need a token of the project; trusted-header: a proxy verifies tokens and sends their claims, which " +
      "needs ORIGIN_SECRET; none: everybody has full access",
  ),
  ADMIN_SECRET: secret(
    "the bearer token for `/v1/projects`, with which projects are created and listed; empty: nobody can",
  ),
  PROJECT_SECRET: secret(
    "with TENANCY=single: the secret that signs the tokens of the only project; empty: that project is in REGISTRY",
  ),
  ORIGIN_SECRET: secret(
    "the secret that a proxy must send in `Stream-Origin-Secret`; requests without it are refused; empty: no proxy is required",
  ),
  PUBLIC_URL: {
    kind: "text",
    default: "",
    pattern: /^(?:https?:\/\/[^\s/?#@\\]+(?:\/[^\s?#\\]*)?)?$/,
    expects: "an http or https URL without a query, such as https://streams.example.com",
    about:
      "the URL by which clients reach the server, used in `Location`, `callback_url` and all other absolute URLs; " +
      "give the path, too, if a proxy strips one; empty: the URL of the request is used",
  },
  OPEN_TO: choice(
    "loopback",
    ["loopback", "everybody"],
    "with AUTH_MODE=none: loopback serves only requests to localhost that came through no proxy and from no page of " +
      "another site; everybody serves all requests",
  ),
  STRANGERS_PER_MINUTE: integer(
    600,
    10,
    1_000_000,
    "requests per minute without a valid token from one address; ten times as many from all addresses together; " +
      "each isolate counts separately",
  ),
  CORS_ORIGINS: {
    kind: "text",
    default: "*",
    pattern: /^(?:\*|loopback|https?:\/\/[^\s,/]+(?:\s*,\s*https?:\/\/[^\s,/]+)*)$/,
    expects: "*, loopback, or a comma-separated list of origins such as https://app.example.com",
    about:
      "the origins whose pages may call the server from a browser; a project can have its own; loopback: pages of this " +
      "machine, which is the default where OPEN_TO=loopback applies",
  },
  LONG_POLL_TIMEOUT_MS: integer(3_000, 100, 25_000, "how long a long-poll waits for data"),
  SSE_SESSION_SECONDS: integer(60, 2, 3_600, "how long one SSE response lasts before the client reconnects"),
  SSE_HEARTBEAT_SECONDS: integer(15, 1, 60, "seconds between the heartbeat comments of an SSE response"),
  SSE_BUFFER_BYTES_MAX: integer(
    4 * MIB,
    64 * KIB,
    32 * MIB,
    "bytes buffered for a slow SSE reader before it must catch up by reading",
  ),
  APPEND_BYTES_MAX: integer(
    10 * MIB,
    KIB,
    APPEND_BYTES_LIMIT,
    "largest append in bytes, after decoding; an array of JSON messages can be 1.6 times as large",
  ),
  BODIES_BYTES_MAX: integer(
    32 * MIB,
    MIB,
    GIB,
    "bytes of request bodies that one isolate handles at a time, each copied up to four times; more gets 503",
  ),
  BODY_TIMEOUT_SECONDS: integer(120, 1, 3_600, "how long a request body may take to arrive completely"),
  JSON_DEPTH_MAX: integer(
    1_000,
    1,
    JSON_DEPTH_MAX,
    "deepest nesting of arrays and objects in a JSON body; many JSON parsers fail not far above 1000",
  ),
  READ_BYTES_MAX: integer(
    GIB,
    64 * KIB,
    1_024 * GIB,
    "largest catch-up response in bytes; a longer one ends early, and the client continues",
  ),
  SEGMENT_BYTES: integer(
    8 * MIB,
    64 * KIB,
    256 * MIB,
    "bytes of a stream's log that are moved to R2 as one segment, if there is a binding SEGMENTS",
  ),
  SEGMENT_BYTES_MIN: integer(
    256 * KIB,
    1,
    8 * MIB,
    "a log smaller than this many bytes is not moved to R2 for its age or because its stream is closed",
  ),
  SEGMENT_AGE_SECONDS: integer(
    86_400,
    0,
    31_536_000,
    "age at which a log smaller than SEGMENT_BYTES is moved to R2; 0: never",
  ),
  PENDING_BYTES_MAX: integer(32 * MIB, MIB, 64 * MIB, "bytes in the append queue of one stream; more gets 503"),
  PENDING_APPENDS_MAX: integer(8_192, 64, 65_536, "appends in the append queue of one stream; more gets 503"),
  STREAM_BYTES_MAX: integer(
    0,
    0,
    1_024 * GIB,
    "bytes that one stream may store, without those that a fork inherits; more gets 507, and a body that is larger by " +
      "itself 413; 0: no limit",
  ),
  READERS_MAX: integer(
    10_000,
    1,
    32_000,
    "live readers of one stream; more get 503; with SHARED_LIVE=on, each isolate counts separately",
  ),
  SESSION_TTL_SECONDS: integer(86_400, 1, 31_536_000, "how long an estuary's session lasts without use"),
  WEBHOOK_LOOPBACK: choice(
    "refuse",
    ["refuse", "allow"],
    "allow: webhooks may go to `localhost` and `127.0.0.x`, and may use HTTP there; for development only",
  ),
  OUTBOUND_ADDRESSES: choice(
    "public",
    ["public", "any"],
    "on one machine: public allows webhooks and requests for issuers' key sets only to names that resolve to public " +
      "addresses; any allows all addresses",
  ),
  WEBHOOK_TIMEOUT_SECONDS: integer(30, 1, 120, "how long a webhook may take to answer"),
  WEBHOOKS_PER_MINUTE: integer(12_000, 1, 1_000_000, "webhooks per minute of all subscriptions of a project together"),
  WEBHOOKS_PER_HOST_PER_MINUTE: integer(6_000, 1, 1_000_000, "webhooks per minute that a project may send to one host"),
  WEBHOOK_CHALLENGE: choice(
    "off",
    ["off", "required"],
    "required: webhooks are sent only to URLs that have answered a challenge; off: only the projects that ask for it " +
      "require a challenge",
  ),
  FAN_OUT_QUEUE_ABOVE: integer(
    512,
    1,
    100_000,
    "number of sessions following one source above which deliveries go through the queue, if there is a binding FANOUT",
  ),
  LOG_LEVEL: choice(
    "error",
    ["info", "error", "off"],
    "info: one line per request; error: only failures of the server and changes made with management tokens; off: nothing",
  ),
  SHARED_APPENDS: choice(
    "on",
    ["on", "off"],
    "on: appends to a stream that arrive together share one call to its object; off: each makes its own call",
  ),
  SHARED_READS: choice(
    "on",
    ["on", "off"],
    "on: reads of the same offset that arrive together share one call to the object; off: each makes its own call",
  ),
  SHARED_LIVE: choice(
    "on",
    ["on", "off"],
    "on: the live readers of a stream share one channel to its object, for each isolate; off: each has its own",
  ),
  SERVER_TIMING: choice(
    "on-request",
    ["on-request", "always", "off"],
    "which responses have a Server-Timing header; on-request: those whose request asks for it",
  ),
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS;
