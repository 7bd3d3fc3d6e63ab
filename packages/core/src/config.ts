/**
 * Every setting of the server: one table, read once into a typed `Config`, refused as a whole when any value is
 * nonsense. Values come from `wrangler.toml` vars, `npm start -- --var NAME:VALUE`, or the dashboard, so they may be
 * strings. `docs/configuration.md` lists the same settings for operators.
 */

import { JSON_DEPTH_MAX } from "@durable-streams-cloudflare/protocol";

type Setting =
  | {
      readonly kind: "integer";
      readonly initial: number;
      readonly min: number;
      readonly max: number;
      readonly about: string;
    }
  | { readonly kind: "choice"; readonly initial: string; readonly choices: readonly string[]; readonly about: string }
  | {
      readonly kind: "text";
      readonly initial: string;
      readonly pattern: RegExp;
      readonly expects: string;
      readonly about: string;
      /** Never shown, not even when it is wrong. */
      readonly isSecret?: true;
    };

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** Bytes of the largest RPC message that we send to an object; the platform's limit is 32 MiB. */
const RPC_BYTES_MAX = 30 * MIB;

/** Clients make one array of all messages that wait, without regard to its size. */
export const ARRAY_FACTOR = 1.6;
const APPEND_BYTES_LIMIT = Math.floor(RPC_BYTES_MAX / ARRAY_FACTOR);

export const SETTINGS = {
  TENANCY: choice("path", ["path", "single"], "path: /v1/stream/<project>/<stream>; single: /v1/stream/<stream>"),
  AUTH_MODE: choice(
    "project",
    ["project", "none"],
    "project: tokens of the project; none: everybody may do everything",
  ),
  ADMIN_SECRET: secret("bearer of `/v1/projects`: creates and lists projects; empty: nobody does"),
  PROJECT_SECRET: secret("TENANCY=single: signs the tokens of the one project; empty: that project is in REGISTRY"),
  ORIGIN_SECRET: secret("what a proxy sends in `Stream-Origin-Secret`; requests without are refused; empty: none are"),
  PUBLIC_URL: {
    kind: "text",
    initial: "",
    pattern: /^(?:https?:\/\/[^\s/?#@\\]+(?:\/[^\s?#\\]*)?)?$/,
    expects: "an http or https URL without a query, such as https://streams.example.com",
    about:
      "how clients reach the server, in `Location`, `callback_url` and all other absolute URLs; a path stands for one that a proxy takes away; empty: as requests say",
  },
  OPEN_TO: choice(
    "loopback",
    ["loopback", "everybody"],
    "AUTH_MODE=none: loopback: serves only requests to localhost that came through no proxy, and no page of another site",
  ),
  STRANGERS_PER_MINUTE: integer(
    600,
    10,
    1_000_000,
    "requests a minute that one address may send without showing a right; all together ten times as many; each isolate counts for itself",
  ),
  CORS_ORIGINS: {
    kind: "text",
    initial: "*",
    pattern: /^(?:\*|loopback|https?:\/\/[^\s,/]+(?:\s*,\s*https?:\/\/[^\s,/]+)*)$/,
    expects: "*, loopback, or a comma-separated list of origins such as https://app.example.com",
    about:
      "origins that browsers may call from; a project may have its own; loopback, the default where OPEN_TO=loopback " +
      "counts: pages of this machine",
  },
  LONG_POLL_TIMEOUT_MS: integer(3_000, 100, 25_000, "how long a long-poll waits for data"),
  SSE_SESSION_SECONDS: integer(60, 2, 3_600, "how long one SSE response lasts before the client reconnects"),
  SSE_HEARTBEAT_SECONDS: integer(15, 1, 60, "how often an SSE response sends a comment"),
  SSE_BUFFER_BYTES_MAX: integer(
    4 * MIB,
    64 * KIB,
    32 * MIB,
    "bytes held for one slow SSE reader before it must catch up",
  ),
  APPEND_BYTES_MAX: integer(
    10 * MIB,
    KIB,
    APPEND_BYTES_LIMIT,
    "bytes of one append, after decoding; an array of JSON messages may have 1.6 times as many",
  ),
  BODIES_BYTES_MAX: integer(
    32 * MIB,
    MIB,
    GIB,
    "bytes of request bodies that one isolate holds at a time, each up to four times; more gets 503",
  ),
  BODY_TIMEOUT_SECONDS: integer(120, 1, 3_600, "how long the body of a request may take to arrive in full"),
  JSON_DEPTH_MAX: integer(
    1_000,
    1,
    JSON_DEPTH_MAX,
    "arrays and objects within one another in a JSON body; the parsers of many readers end not far above 1000",
  ),
  READ_BYTES_MAX: integer(GIB, 64 * KIB, 1_024 * GIB, "bytes of one catch-up response before it is cut"),
  SEGMENT_BYTES: integer(
    8 * MIB,
    64 * KIB,
    256 * MIB,
    "bytes of a stream's log that go to R2 together, if the binding SEGMENTS is there",
  ),
  SEGMENT_BYTES_MIN: integer(
    256 * KIB,
    1,
    8 * MIB,
    "bytes below which a log goes to R2 neither because of its age nor because the stream is closed",
  ),
  SEGMENT_AGE_SECONDS: integer(86_400, 0, 31_536_000, "age at which a smaller log goes to R2; 0: never"),
  PENDING_BYTES_MAX: integer(32 * MIB, MIB, 64 * MIB, "bytes of appends that may wait for one stream's disk"),
  PENDING_APPENDS_MAX: integer(8_192, 64, 65_536, "appends that may wait for one stream's disk; one more gets 503"),
  READERS_MAX: integer(10_000, 1, 32_000, "live readers that may wait on one stream; one more gets 503"),
  SESSION_TTL_SECONDS: integer(86_400, 1, 31_536_000, "how long an estuary's session lasts without being used"),
  WEBHOOK_LOOPBACK: choice(
    "refuse",
    ["refuse", "allow"],
    "allow: webhooks go to `localhost` and `127.0.0.x` too, also by HTTP; for development only",
  ),
  OUTBOUND_ADDRESSES: choice(
    "public",
    ["public", "any"],
    "on one machine: public: webhooks and issuers' key sets are refused when their name leads to a private address; any: they are not",
  ),
  WEBHOOK_TIMEOUT_SECONDS: integer(30, 1, 120, "how long a webhook may take to answer"),
  WEBHOOKS_PER_MINUTE: integer(12_000, 1, 1_000_000, "webhooks that all subscriptions of a project may send together"),
  WEBHOOKS_PER_HOST_PER_MINUTE: integer(6_000, 1, 1_000_000, "webhooks that a project may send to one host"),
  WEBHOOK_CHALLENGE: choice(
    "off",
    ["off", "required"],
    "required: webhooks are sent only to URLs that have answered a challenge; off: only where a project demands it",
  ),
  FAN_OUT_QUEUE_ABOVE: integer(
    512,
    1,
    100_000,
    "sessions of one source above which deliveries go through the queue, if the binding FANOUT is there",
  ),
  LOG_LEVEL: choice(
    "error",
    ["info", "error", "off"],
    "info: a line per request; error: only those that the server failed, and changes by managers",
  ),
  SHARED_APPENDS: choice(
    "on",
    ["on", "off"],
    "on: appends to a stream that arrive together share a call to its object; off: each makes its own",
  ),
  SHARED_READS: choice(
    "on",
    ["on", "off"],
    "on: reads of the same place that come together share a call to its object; off: each makes its own",
  ),
  SERVER_TIMING: choice("on-request", ["on-request", "always", "off"], "when responses carry Server-Timing"),
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS;

export interface Config {
  readonly tenancy: "path" | "single";
  readonly authMode: "project" | "none";
  /** Empty: there is none. */
  readonly adminSecret: string;
  /** Empty: there is none. */
  readonly projectSecret: string;
  /** Empty: there is none. */
  readonly originSecret: string;
  /** Without a slash at its end. Empty: there is none. */
  readonly publicUrl: string;
  /** Whom `authMode` `none` serves. */
  readonly openTo: "loopback" | "everybody";
  readonly strangersPerMinute: number;
  /** Allowed origins; `*` alone stands for all, and `loopback` for those of this machine. */
  readonly corsOrigins: readonly string[];
  readonly longPollTimeoutMs: number;
  readonly sseSessionSeconds: number;
  readonly sseHeartbeatSeconds: number;
  readonly sseBufferBytesMax: number;
  readonly appendBytesMax: number;
  readonly bodiesBytesMax: number;
  readonly bodyTimeoutSeconds: number;
  readonly jsonDepthMax: number;
  readonly readBytesMax: number;
  readonly segmentBytes: number;
  readonly segmentBytesMin: number;
  readonly segmentAgeSeconds: number;
  readonly pendingBytesMax: number;
  readonly pendingAppendsMax: number;
  readonly readersMax: number;
  readonly sessionTtlSeconds: number;
  readonly webhookLoopback: "refuse" | "allow";
  readonly outboundAddresses: "public" | "any";
  readonly webhookTimeoutSeconds: number;
  readonly webhooksPerMinute: number;
  readonly webhooksPerHostPerMinute: number;
  readonly webhookChallenge: "off" | "required";
  readonly fanOutQueueAbove: number;
  readonly logLevel: "info" | "error" | "off";
  readonly sharedAppends: "on" | "off";
  /** Whether reads of the same place share calls to its object. */
  readonly sharedReads: "on" | "off";
  readonly serverTiming: "on-request" | "always" | "off";
}

/** Thrown by `parseConfig`: the message names every bad setting, what it must be, and what it is. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * Reads the settings out of a Worker's environment. Bindings and unknown names are passed over.
 * @throws ConfigError when any setting is out of its bounds.
 */
export function parseConfig(env: object): Config {
  const values = env as Readonly<Record<string, unknown>>;
  const faults: string[] = [];
  const integerOf = (name: SettingName): number => Number(valueOf(values, name, faults));
  const textOf = (name: SettingName): string => valueOf(values, name, faults);
  const config: Config = {
    tenancy: textOf("TENANCY") === "single" ? "single" : "path",
    authMode: textOf("AUTH_MODE") === "none" ? "none" : "project",
    adminSecret: textOf("ADMIN_SECRET"),
    projectSecret: textOf("PROJECT_SECRET"),
    originSecret: textOf("ORIGIN_SECRET"),
    publicUrl: textOf("PUBLIC_URL").replace(/\/+$/, ""),
    openTo: oneOf(SETTINGS.OPEN_TO.choices, textOf("OPEN_TO")),
    strangersPerMinute: integerOf("STRANGERS_PER_MINUTE"),
    corsOrigins: textOf("CORS_ORIGINS")
      .split(",")
      .map((origin) => origin.trim()),
    longPollTimeoutMs: integerOf("LONG_POLL_TIMEOUT_MS"),
    sseSessionSeconds: integerOf("SSE_SESSION_SECONDS"),
    sseHeartbeatSeconds: integerOf("SSE_HEARTBEAT_SECONDS"),
    sseBufferBytesMax: integerOf("SSE_BUFFER_BYTES_MAX"),
    appendBytesMax: integerOf("APPEND_BYTES_MAX"),
    bodiesBytesMax: integerOf("BODIES_BYTES_MAX"),
    bodyTimeoutSeconds: integerOf("BODY_TIMEOUT_SECONDS"),
    jsonDepthMax: integerOf("JSON_DEPTH_MAX"),
    readBytesMax: integerOf("READ_BYTES_MAX"),
    segmentBytes: integerOf("SEGMENT_BYTES"),
    segmentBytesMin: integerOf("SEGMENT_BYTES_MIN"),
    segmentAgeSeconds: integerOf("SEGMENT_AGE_SECONDS"),
    pendingBytesMax: integerOf("PENDING_BYTES_MAX"),
    pendingAppendsMax: integerOf("PENDING_APPENDS_MAX"),
    readersMax: integerOf("READERS_MAX"),
    sessionTtlSeconds: integerOf("SESSION_TTL_SECONDS"),
    webhookLoopback: oneOf(SETTINGS.WEBHOOK_LOOPBACK.choices, textOf("WEBHOOK_LOOPBACK")),
    outboundAddresses: oneOf(SETTINGS.OUTBOUND_ADDRESSES.choices, textOf("OUTBOUND_ADDRESSES")),
    webhookTimeoutSeconds: integerOf("WEBHOOK_TIMEOUT_SECONDS"),
    webhooksPerMinute: integerOf("WEBHOOKS_PER_MINUTE"),
    webhooksPerHostPerMinute: integerOf("WEBHOOKS_PER_HOST_PER_MINUTE"),
    webhookChallenge: oneOf(SETTINGS.WEBHOOK_CHALLENGE.choices, textOf("WEBHOOK_CHALLENGE")),
    fanOutQueueAbove: integerOf("FAN_OUT_QUEUE_ABOVE"),
    logLevel: oneOf(SETTINGS.LOG_LEVEL.choices, textOf("LOG_LEVEL")),
    sharedAppends: oneOf(SETTINGS.SHARED_APPENDS.choices, textOf("SHARED_APPENDS")),
    sharedReads: oneOf(SETTINGS.SHARED_READS.choices, textOf("SHARED_READS")),
    serverTiming: oneOf(SETTINGS.SERVER_TIMING.choices, textOf("SERVER_TIMING")),
  };
  if (config.projectSecret !== "" && config.tenancy === "path") {
    faults.push("- PROJECT_SECRET must be empty with TENANCY=path, whose projects are in REGISTRY.");
  }
  if (config.publicUrl !== "" && !URL.canParse(config.publicUrl)) {
    faults.push(
      `- PUBLIC_URL must be ${expectation(SETTINGS.PUBLIC_URL)}, but is ${JSON.stringify(config.publicUrl)}.`,
    );
  }
  if (faults.length > 0) throw new ConfigError(`The configuration is not usable:\n${faults.join("\n")}`);
  const isOwnDefault = values["CORS_ORIGINS"] === undefined && isOnlyForLoopback(config);
  return isOwnDefault ? { ...config, corsOrigins: ["loopback"] } : config;
}

/**
 * Whether a server with these settings serves its own machine only. With a secret between it and its proxy it does not:
 * nobody else gets in then, and the proxy is meant.
 */
export function isOnlyForLoopback(config: Pick<Config, "authMode" | "openTo" | "originSecret">): boolean {
  return config.authMode === "none" && config.openTo === "loopback" && config.originSecret === "";
}

/** The setting's text if it is fit for use; otherwise notes the fault and returns the default value. */
function valueOf(env: Readonly<Record<string, unknown>>, name: SettingName, faults: string[]): string {
  const setting: Setting = SETTINGS[name];
  const raw = env[name];
  if (raw === undefined) return String(setting.initial);
  const text = typeof raw === "string" || typeof raw === "number" ? String(raw).trim() : "";
  if (isFit(setting, text)) return text;
  const isSecret = setting.kind === "text" && setting.isSecret === true;
  const found = isSecret ? "something else" : (JSON.stringify(raw) ?? typeof raw);
  faults.push(`- ${name} must be ${expectation(setting)}, but is ${found}.`);
  return String(setting.initial);
}

function isFit(setting: Setting, text: string): boolean {
  switch (setting.kind) {
    case "integer":
      return /^\d{1,15}$/.test(text) && Number(text) >= setting.min && Number(text) <= setting.max;
    case "choice":
      return setting.choices.includes(text);
    case "text":
      return setting.pattern.test(text);
  }
}

/** What a setting accepts, in words: for error messages and the generated documentation. */
export function expectation(setting: Setting): string {
  switch (setting.kind) {
    case "integer":
      return `a whole number from ${setting.min} to ${setting.max}`;
    case "choice":
      return setting.choices.join(" or ");
    case "text":
      return setting.expects;
  }
}

function oneOf<Choice extends string>(choices: readonly Choice[], text: string): Choice {
  const found = choices.find((candidate) => candidate === text);
  if (found === undefined) throw new ConfigError(`${text} is none of ${choices.join(", ")}`);
  return found;
}

function secret(about: string) {
  const expects = "32 to 512 printable characters without spaces";
  return { kind: "text", initial: "", pattern: /^(?:[!-~]{32,512})?$/, expects, about, isSecret: true } as const;
}

function integer(initial: number, min: number, max: number, about: string) {
  return { kind: "integer", initial, min, max, about } as const;
}

function choice<const Choices extends readonly string[]>(initial: Choices[number], choices: Choices, about: string) {
  return { kind: "choice", initial, choices, about } as const;
}
