/** Cross-origin access, and the security headers that every response has [PROTOCOL §12.7]. */

import { HEADER } from "@durable-streams-cloudflare/protocol";

import { isLoopbackOrigin } from "../outbound/loopback.ts";

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
  "traceparent",
  "Stream-Server-Timing",
  HEADER.ttl,
  HEADER.expiresAt,
  HEADER.seq,
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
].join(", ");

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
  "Vary",
  HEADER.nextOffset,
  HEADER.cursor,
  HEADER.upToDate,
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
  HEADER.recordAuthor,
].join(", ");

const PREFLIGHT_SECONDS = "86400";

/** What every response has, whatever its status and its project. */
export const COMMON_HEADERS: Readonly<Record<string, string>> = {
  "X-Content-Type-Options": "nosniff",
  "Cross-Origin-Resource-Policy": "cross-origin",
  "Access-Control-Expose-Headers": EXPOSED_HEADERS,
};

/**
 * For a response that is made often: headers to copy, as `new Response(…, { headers })` does. That is cheaper than to add
 * the common ones each time.
 */
export function headersWithCommon(own: Readonly<Record<string, string>>): Headers {
  return new Headers({ ...COMMON_HEADERS, ...own });
}

/** A right in the URL must not travel on to wherever the content leads. */
const RIGHT_IN_QUERY = /[?&](?:token|key)=/;

function hasRightInQuery({ url }: Request): boolean {
  return RIGHT_IN_QUERY.test(url);
}

/** Adds what every response has, as far as it is missing, and whether the request's origin may read it. */
export function addCommonHeaders(headers: Headers, request: Request, origins: readonly string[]): void {
  if (!headers.has("X-Content-Type-Options")) {
    for (const [name, value] of Object.entries(COMMON_HEADERS)) headers.set(name, value);
  }
  if (hasRightInQuery(request)) headers.set("Referrer-Policy", "no-referrer");
  if (origins.includes("*")) {
    headers.set("Access-Control-Allow-Origin", "*");
    return;
  }
  headers.append("Vary", "Origin");
  const origin = request.headers.get("Origin");
  if (origin === null || !allowsOrigin(origins, origin)) return;
  headers.set("Access-Control-Allow-Origin", origin);
  headers.set("Access-Control-Allow-Credentials", "true");
}

/** @param origins as in `Config.corsOrigins`. */
export function allowsOrigin(origins: readonly string[], origin: string): boolean {
  if (origins.includes("*") || origins.includes(origin)) return true;
  return origins.includes("loopback") && isLoopbackOrigin(origin);
}

export function preflightResponse(): Response {
  return new Response(null, {
    status: 204,
    headers: {
      "Access-Control-Allow-Methods": METHODS,
      "Access-Control-Allow-Headers": ALLOWED_HEADERS,
      "Access-Control-Max-Age": PREFLIGHT_SECONDS,
      Allow: METHODS,
      "Cache-Control": "no-store",
    },
  });
}
