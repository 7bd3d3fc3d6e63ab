/** Turns answers into `Response` objects. Nothing else in this host does. */

import type { Answer } from "@durable-streams-cloudflare/http/answers/answer";
import { COMMON_HEADERS } from "@durable-streams-cloudflare/http/answers/cors";
import { PagedBody } from "@durable-streams-cloudflare/http/answers/paged-body";
import { PushedBody } from "@durable-streams-cloudflare/http/answers/pushed-body";

/** To copy these and set the others takes half the time of making all of a record (docs/adr/0021-plain-answers.md). */
const COMMON = new Headers(COMMON_HEADERS);

/** Makes a `Response` with the answer's headers and `COMMON_HEADERS`. */
export function toResponse({ status, headers, body, upgrade }: Answer): Response {
  if (upgrade !== undefined) return new Response(null, { status, headers, webSocket: upgrade.end as WebSocket });
  const response = new Response(body instanceof PagedBody || body instanceof PushedBody ? body.stream() : body, {
    status,
    headers: COMMON,
  });
  for (const name of Object.keys(headers)) response.headers.set(name, headers[name] ?? "");
  return response;
}
