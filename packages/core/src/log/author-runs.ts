/**
 * Encodes the authors of a block's appends for its segment, as runs of appends by the same author, in order. Of each run: the
 * number of appends (16 bits), the length of the author's name in bytes (16 bits; 65,535: no author is known), and the name in
 * UTF-8.
 */

import { utf8Length } from "@durable-streams-cloudflare/protocol";

import type { Authors } from "../contracts/authors.ts";
import { concatBytes } from "../kit/bytes.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const RUN_HEADER_BYTES = 4;
const NOBODY = 0xffff;
const COUNT_MAX = 0xffff;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Counts the encoded size of authors that are added one by one. */
export class AuthorRunsSize {
  bytes = 0;
  #author: string | null | undefined;
  #count = 0;

  add(author: string | null): void {
    const goesOn = author === this.#author && this.#count < COUNT_MAX;
    if (!goesOn) this.bytes += RUN_HEADER_BYTES + utf8Length(author ?? "");
    this.#count = goesOn ? this.#count + 1 : 1;
    this.#author = author;
  }
}

export function encodeAuthors(authors: Authors): Bytes {
  const runs: Bytes[] = [];
  for (let at = 0; at < authors.length;) {
    const author = authors[at] ?? null;
    let count = 1;
    while (count < COUNT_MAX && at + count < authors.length && authors[at + count] === author) count += 1;
    runs.push(encodeRun(author, count));
    at += count;
  }
  return concatBytes(runs);
}

export function decodeAuthors(bytes: Bytes): Authors {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const authors: (string | null)[] = [];
  for (let at = 0; at < bytes.length;) {
    const count = view.getUint16(at);
    const size = view.getUint16(at + 2);
    at += RUN_HEADER_BYTES;
    const author = size === NOBODY ? null : decoder.decode(bytes.subarray(at, at + size));
    at += size === NOBODY ? 0 : size;
    for (let index = 0; index < count; index += 1) authors.push(author);
  }
  return authors;
}

function encodeRun(author: string | null, count: number): Bytes {
  const name = author === null ? new Uint8Array() : encoder.encode(author);
  const run = new Uint8Array(RUN_HEADER_BYTES + name.length);
  const view = new DataView(run.buffer);
  view.setUint16(0, count);
  view.setUint16(2, author === null ? NOBODY : name.length);
  run.set(name, RUN_HEADER_BYTES);
  return run;
}
