/** Cross-origin access (CORS), and the security headers of every response [PROTOCOL §12.7]. */

import { isLoopbackOrigin } from "@durable-streams-cloudflare/core/outbound/loopback";
import { HEADER } from "@durable-streams-cloudflare/protocol";

import type { HttpRequest } from "../ports.ts";
import { REQUEST_ID_HEADER } from "../requests/request-notes.ts";
import { addVary, type Answer } from "./answer.ts";

const METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

const ALLOWED_HEADERS = [
  "Accept",
  "Authorization",
  "Cache-Control",
  "Content-Encoding",
  "Content-Type",
  "If-Match",
  "If-None-Match",
  "Last-Event-ID",
  "X-Requested-With",
  "baggage",
  "sentry-trace",
  "traceparent",
  "tracestate",
  "Stream-Server-Timing",
  HEADER.ttl,
  HEADER.expiresAt,
  HEADER.seq,
  HEADER.expectedOffset,
  HEADER.closed,
  HEADER.forkedFrom,
  HEADER.forkOffset,
  HEADER.forkSubOffset,
  HEADER.producerId,
  HEADER.producerEpoch,
  HEADER.producerSeq,
  HEADER.retentionSeconds,
  HEADER.retentionBytes,
  HEADER.recordAuthor,
];

const IS_ALLOWED: ReadonlySet<string> = new Set(ALLOWED_HEADERS.map((name) => name.toLowerCase()));

/** A client in a browser loops or misreads data without these; see `docs/protocol-notes.md`. */
const EXPOSED_HEADERS = [
  "Allow",
  "Cache-Control",
  "Content-Encoding",
  "Content-Length",
  "Content-Type",
  "ETag",
  "Location",
  "RateLimit",
  "RateLimit-Policy",
  "Retry-After",
  "Server-Timing",
  REQUEST_ID_HEADER,
  "Vary",
  HEADER.nextOffset,
  HEADER.cursor,
  HEADER.upToDate,
  HEADER.seq,
  HEADER.closed,
  HEADER.ttl,
  HEADER.expiresAt,
  HEADER.sseDataEncoding,
  HEADER.producerEpoch,
  HEADER.producerSeq,
  HEADER.producerExpectedSeq,
  HEADER.producerReceivedSeq,
  HEADER.retentionSeconds,
  HEADER.retentionBytes,
  HEADER.earliestOffset,
  HEADER.warning,
  HEADER.recordAuthor,
].join(", ");

const PREFLIGHT_SECONDS = "86400";

/**
 * The headers of every response, whatever its status and project. A host sends them with each answer. They are not in
 * `Answer.headers`, because sending a prepared list is cheaper than building it for each answer.
 */
export const COMMON_HEADERS: Readonly<Record<string, string>> = {
  "X-Content-Type-Options": "nosniff",
  "Cross-Origin-Resource-Policy": "cross-origin",
  "Access-Control-Expose-Headers": EXPOSED_HEADERS,
};

/** A right in the URL must not travel on to wherever the content leads. */
const RIGHT_IN_QUERY = /[?&](?:token|key)=/;

function hasRightInQuery({ url }: HttpRequest): boolean {
  return RIGHT_IN_QUERY.test(url);
}

/**
 * Adds the CORS headers that let the request's origin read the answer, if it may. If the URL contains a credential, also adds
 * the `Referrer-Policy` that keeps the URL from leaking.
 */
export function addCorsHeaders(answer: Answer, request: HttpRequest, origins: readonly string[]): void {
  const { headers } = answer;
  if (hasRightInQuery(request)) headers["Referrer-Policy"] = "no-referrer";
  if (origins.includes("*")) {
    headers["Access-Control-Allow-Origin"] = "*";
    return;
  }
  addVary(answer, "Origin");
  const origin = request.headers.get("Origin");
  if (origin === null || !allowsOrigin(origins, origin)) return;
  headers["Access-Control-Allow-Origin"] = origin;
  headers["Access-Control-Allow-Credentials"] = "true";
}

/**
 * Whether an origin may read answers.
 * @param origins allowed origins, in the form of `Config.corsOrigins`.
 */
export function allowsOrigin(origins: readonly string[], origin: string): boolean {
  if (origins.includes("*") || origins.includes(origin)) return true;
  return origins.includes("loopback") && isLoopbackOrigin(origin);
}

/** Names that a client may ask for besides, and how long each may be. */
const ASKED_MAX = 64;
const HEADER_NAME = /^[!#$%&'*+.^_`|~\w-]{1,64}$/;

/**
 * The answer to a CORS preflight request.
 * @param methods that the URL supports. A browser may send other methods, too, so that the page sees the 405, which lists the
 *   methods.
 */
export function preflightAnswer(request: Pick<HttpRequest, "headers">, methods: readonly string[]): Answer {
  return {
    status: 204,
    headers: {
      "Access-Control-Allow-Methods": METHODS,
      "Access-Control-Allow-Headers": allowedHeaders(request),
      "Access-Control-Max-Age": PREFLIGHT_SECONDS,
      Allow: [...methods, "OPTIONS"].join(", "),
      "Cache-Control": "no-store",
      Vary: "Access-Control-Request-Headers",
    },
    body: null,
  };
}

/** Tracing, error reports and frameworks add headers of their own to every request: what has no meaning here does no harm. */
function allowedHeaders(request: Pick<HttpRequest, "headers">): string {
  const asked = (request.headers.get("Access-Control-Request-Headers") ?? "").split(",").map((name) => name.trim());
  const more = asked.filter((name) => HEADER_NAME.test(name) && !IS_ALLOWED.has(name.toLowerCase()));
  return [...ALLOWED_HEADERS, ...more.slice(0, ASKED_MAX)].join(", ");
}
