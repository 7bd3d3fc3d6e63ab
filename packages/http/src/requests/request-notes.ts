/** Collects what is learned about a request while it is served, for its response and its log line. */

import type { Problem } from "@durable-streams-cloudflare/protocol";

import type { Signer } from "../auth/token.ts";
import type { HttpRequest } from "../ports.ts";
import { childOf, newTrace, parseTraceparent, type TraceContext } from "../tracing/trace-context.ts";

/** The response header with the id of a refused request. The id is also in the problem's body, which answers to HEAD lack. */
export const REQUEST_ID_HEADER = "Stream-Request-Id";

/** How a request was authorized. */
export type Shown = "admin" | "token" | "proxy" | "read-url" | "reader-key" | "wake" | "public";

/** What is known about one request. */
export interface RequestNotes {
  requestId?: string;
  /** How the request was authorized; absent if it showed no valid right. */
  shown?: Shown;
  by?: Signer;
  /** Why the request was refused. */
  problem?: Problem;
  /** The position of the server's work on the request in its trace. */
  trace?: Pick<TraceContext, "traceId" | "spanId">;
  /** The route, if the request changed a project or links. Such requests are always logged, as an audit trail. */
  change?: string;
}

const notes = new WeakMap<HttpRequest, RequestNotes>();

/** The notes of a request, which are created on the first call. */
export function notesOf(request: HttpRequest): RequestNotes {
  const known = notes.get(request);
  if (known !== undefined) return known;
  const made: RequestNotes = {};
  notes.set(request, made);
  return made;
}

/** The request's id, by which a client's report is found in the log. */
export function requestIdOf(request: HttpRequest): string {
  const known = notesOf(request);
  known.requestId ??= request.headers.get("CF-Ray") ?? crypto.randomUUID();
  return known.requestId;
}

/** The position of the server's work on a request in the caller's trace, or in a new one. */
export function traceOf(request: HttpRequest): Pick<TraceContext, "traceId" | "spanId"> {
  const known = notesOf(request);
  if (known.trace === undefined) {
    const caller = parseTraceparent(request.headers.get("traceparent"));
    known.trace = caller === undefined ? newTrace() : childOf(caller);
  }
  return known.trace;
}

/** Notes how a request was authorized, and by whom. */
export function noteCaller(request: HttpRequest, shown: Shown, by?: Signer): void {
  const known = notesOf(request);
  known.shown = shown;
  if (by !== undefined) known.by = by;
}
