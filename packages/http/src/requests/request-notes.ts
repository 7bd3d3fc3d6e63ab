/** Collects what becomes known of a request while it is served, for its response and its log line. */

import type { Problem } from "@durable-streams-cloudflare/protocol";

import type { Signer } from "../auth/token.ts";
import type { HttpRequest } from "../ports.ts";

/** Of problems: also in the body, which answers to HEAD have not. */
export const REQUEST_ID_HEADER = "Stream-Request-Id";

/** By what a request has shown that it may do something. */
export type Shown = "admin" | "token" | "read-url" | "reader-key" | "wake" | "public";

export interface RequestNotes {
  requestId?: string;
  /** Without it, nothing was shown that holds. */
  shown?: Shown;
  by?: Signer;
  /** Why it was refused. */
  problem?: Problem;
  /** The route of a change to what somebody administers: its line is the trail of that. */
  change?: string;
}

const notes = new WeakMap<HttpRequest, RequestNotes>();

export function notesOf(request: HttpRequest): RequestNotes {
  const known = notes.get(request);
  if (known !== undefined) return known;
  const made: RequestNotes = {};
  notes.set(request, made);
  return made;
}

/** Leads from what a client reports to the log. */
export function requestIdOf(request: HttpRequest): string {
  const known = notesOf(request);
  known.requestId ??= request.headers.get("CF-Ray") ?? crypto.randomUUID();
  return known.requestId;
}

export function noteCaller(request: HttpRequest, shown: Shown, by?: Signer): void {
  const known = notesOf(request);
  known.shown = shown;
  if (by !== undefined) known.by = by;
}
