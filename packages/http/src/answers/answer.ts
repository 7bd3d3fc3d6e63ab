/**
 * The answer of a handler, as plain data. A host turns it into a `Response`, or writes it to a socket, in one place, and adds
 * `COMMON_HEADERS`. On Node.js a real `Response` costs more than storing an append (docs/adr/0021-plain-answers.md).
 */

import type { Result } from "@durable-streams-cloudflare/protocol";

import type { Upgrade } from "../modules/socket.ts";
import { NO_STORE } from "./cache-control.ts";
import type { PagedBody } from "./paged-body.ts";
import type { PushedBody } from "./pushed-body.ts";

/** A response as plain data. */
export interface Answer {
  readonly status: number;
  /**
   * Each name occurs in one spelling only. The object belongs to this answer alone, so whoever holds the answer may add
   * headers.
   */
  readonly headers: Record<string, string>;
  /** `null` if there is no body. The edge removes the body of an answer to HEAD. */
  readonly body: Uint8Array<ArrayBuffer> | string | PagedBody | PushedBody | ReadableStream<Uint8Array> | null;
  /** Present if the connection becomes a socket. The status is 101, and there is no body. */
  readonly upgrade?: Upgrade;
}

/** What a handler returns: its answer, or the problem with which it refuses. Refusals are returned, never thrown. */
export type Handled = Result<{ readonly answer: Answer }>;

/**
 * An answer with a JSON body that is not cached.
 * @param headers further headers.
 */
export function answerJson(json: object, status = 200, headers: Readonly<Record<string, string>> = {}): Answer {
  return {
    status,
    headers: { "Content-Type": "application/json", "Cache-Control": NO_STORE, ...headers },
    body: JSON.stringify(json),
  };
}

/** An answer without a body: 204. */
export function answerNothing(): Answer {
  return { status: 204, headers: { "Cache-Control": NO_STORE }, body: null };
}

/** Adds the name of a request header that the answer depends on to `Vary`. */
export function addVary({ headers }: Answer, name: string): void {
  const known = headers["Vary"];
  headers["Vary"] = known === undefined ? name : `${known}, ${name}`;
}
