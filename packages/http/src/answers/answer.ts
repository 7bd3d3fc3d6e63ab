/**
 * The answer of a handler, as plain data. A host turns it into a `Response`, or writes it to a socket, in one place, and adds
 * `COMMON_HEADERS`. On Node.js a real `Response` costs more than storing an append (docs/adr/0021-plain-answers.md).
 */

import type { Result } from "@durable-streams-cloudflare/protocol";

import { NO_STORE } from "./cache-control.ts";

export interface Answer {
  readonly status: number;
  /** Each name in one spelling, each of its own answer: whoever has the answer may add to them. */
  readonly headers: Record<string, string>;
  /** `null` where there is none; of what HEAD is answered the edge takes it away. */
  readonly body: Uint8Array<ArrayBuffer> | string | ReadableStream<Uint8Array> | null;
}

/** A refusal is returned, never thrown. */
export type Handled = Result<{ readonly answer: Answer }>;

/** @param headers besides. */
export function answerJson(json: object, status = 200, headers: Readonly<Record<string, string>> = {}): Answer {
  return {
    status,
    headers: { "Content-Type": "application/json", "Cache-Control": NO_STORE, ...headers },
    body: JSON.stringify(json),
  };
}

export function answerNothing(): Answer {
  return { status: 204, headers: { "Cache-Control": NO_STORE }, body: null };
}

/** Says that the answer depends on a header of the request, too. */
export function addVary({ headers }: Answer, name: string): void {
  const known = headers["Vary"];
  headers["Vary"] = known === undefined ? name : `${known}, ${name}`;
}
