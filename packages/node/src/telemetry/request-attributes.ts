/** What a span says about a request. Never its query or its headers, which may hold tokens. */

import { rawPath } from "@durable-streams-cloudflare/http/paths/target";
import type { HttpRequest } from "@durable-streams-cloudflare/http/ports";
import type { Attributes } from "@opentelemetry/api";

/** Others are one series, whatever clients make up. */
const METHODS: ReadonlySet<string> = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]);

const LIVE = /[?&]live=(sse|long-poll)(?:&|$)/;

/** What is known before the request is routed. */
export function requestAttributes({ method, url }: Pick<HttpRequest, "method" | "url">): Attributes {
  const live = LIVE.exec(url)?.[1];
  return {
    "http.request.method": METHODS.has(method) ? method : "_OTHER",
    "url.scheme": url.startsWith("https:") ? "https" : "http",
    ...(live === undefined ? {} : { "ds.live": live }),
  };
}

/** The path as received, without the query. */
export function pathOf(url: string): string {
  return rawPath(url);
}
