/**
 * Reads the last N messages of a stream (`last=N`), or the last N appends where a stream is not JSON. There is no index of
 * messages: a window before the tail is read append by append, and enlarged until it holds enough.
 */

import type { ReadResult } from "@durable-streams-cloudflare/core/contracts/stream";
import { Pages } from "@durable-streams-cloudflare/core/fan-out/delivery/pages";
import { concatBytes } from "@durable-streams-cloudflare/core/kit/bytes";
import {
  framingOf,
  LINE_BYTES_MAX,
  MessageScanner,
  rangeEtag,
  refAt,
  refuse,
  type Refusal,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import type { Exchange } from "../exchange.ts";
import { startAtBoundary, type Reading } from "./paging.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Reader = Pick<Exchange, "stream" | "segments" | "config" | "reads" | "keepAlive">;

/** The most messages that a request may ask for. */
export const LAST_MAX = 1_000;
/** Bytes that they may have in all; they are held in memory. */
const LAST_BYTES_MAX = 4 * 1024 * 1024;

const WINDOWS = [64 * 1024, 512 * 1024, LAST_BYTES_MAX];

/** Starts a read of the last `count` messages. It is like a read from the first of them, which may begin inside an append. */
export async function readLast(reader: Reader, count: number): Promise<Result<Reading>> {
  // Reading nothing is a read too: it renews the stream's lifetime, and returns the stream's tail.
  const now = { from: { kind: "now" }, ifNoneMatch: null, paging: "bytes" } as const;
  const result = await reader.reads.read(reader.stream, now, reader.keepAlive);
  if (!result.ok) return result;
  for (const window of WINDOWS) {
    const start = await windowStart(reader, result, window);
    if (typeof start !== "number") return start;
    const last = new LastMessages(count, framingOf(result.contentType) === "json", start);
    const problem = await readWindow(reader, result, start, last);
    if (problem !== undefined) return problem;
    if (last.isEnough || start === result.earliest) return readingOf(result, last);
  }
  return refuseTooMuch(count);
}

/** Where an append begins, so far back from the tail or a little further. */
async function windowStart(reader: Reader, result: ReadResult, window: number): Promise<number | Refusal> {
  const from = result.tail - window;
  if (from <= result.earliest) return result.earliest;
  const command = { from: refAt(result.lineage, from), ifNoneMatch: null, paging: "appends" } as const;
  const reading = await startAtBoundary(reader, command);
  // Inside the first append.
  if (!reading.ok) return reading.problem.code === "offset-invalid" ? result.earliest : reading;
  reading.cold?.cancel();
  return reading.result.from;
}

async function readWindow(
  { stream, segments }: Reader,
  { lineage, tail }: ReadResult,
  start: number,
  last: LastMessages,
): Promise<Refusal | undefined> {
  const pages = new Pages(
    {
      name: stream.objectName,
      segments,
      stream: (name) => ({ pull: (command) => stream.of(name).call((stub) => stub.pull(command)) }),
    },
    lineage.incarnation,
  );
  for (let position = start; position < tail;) {
    const chunk = await pages.at(position, tail);
    if (!chunk.ok) return chunk;
    if (chunk.bytes.length === 0)
      return refuse("offset-trimmed", "Retention removed the last messages while they were being read.");
    last.add(chunk.bytes, chunk.ends);
    position = chunk.to;
  }
  return undefined;
}

/** Keeps the last of what it is given. */
class LastMessages {
  readonly #count: number;
  readonly #scanner: MessageScanner | undefined;
  #chunks: { readonly from: number; readonly bytes: Bytes; readonly ends: readonly number[] }[] = [];
  /** Where the last messages end, one more than are wanted. */
  #ends: number[] = [];
  readonly #start: number;
  #position: number;

  constructor(count: number, isJson: boolean, start: number) {
    this.#count = count;
    this.#scanner = isJson ? new MessageScanner() : undefined;
    this.#start = start;
    this.#position = start;
  }

  add(bytes: Bytes, appendEnds: readonly number[]): void {
    const from = this.#position;
    const ends = this.#scanner === undefined ? appendEnds : messageEnds(this.#scanner, bytes);
    this.#chunks.push({ from, bytes, ends: appendEnds });
    this.#position += bytes.length;
    this.#ends = [...this.#ends, ...ends.map((end) => from + end)].slice(-this.#count - 1);
    const { begin } = this;
    this.#chunks = this.#chunks.filter((chunk) => chunk.from + chunk.bytes.length > begin);
  }

  /** There are as many as are wanted, and it is known where the first of them begins. */
  get isEnough(): boolean {
    return this.#ends.length > this.#count;
  }

  get begin(): number {
    return this.isEnough ? (this.#ends[0] ?? this.#start) : this.#start;
  }

  bytes(): Bytes {
    const [first] = this.#chunks;
    return concatBytes(this.#chunks.map(({ bytes }) => bytes)).slice(first === undefined ? 0 : this.begin - first.from);
  }

  /** Ends of appends between them, so that each stretch fits into a line of an event stream, unless one append does not. */
  cuts(): number[] {
    const cuts: number[] = [];
    let before = this.begin;
    let at = before;
    for (const end of this.#chunks.flatMap(({ from, ends }) => ends.map((each) => from + each))) {
      if (end <= this.begin) continue;
      if (end - at > LINE_BYTES_MAX && before > at) cuts.push((at = before));
      before = end;
    }
    return cuts;
  }
}

function messageEnds(scanner: MessageScanner, bytes: Bytes): number[] {
  const ends: number[] = [];
  for (const [index, byte] of bytes.entries()) if (scanner.step(byte)) ends.push(index + 1);
  return ends;
}

function readingOf(result: ReadResult, last: LastMessages): Result<Reading> {
  const { lineage, tail, closed } = result;
  const page = last.bytes();
  if (page.length > LAST_BYTES_MAX) return refuseTooMuch(undefined);
  const from = tail - page.length;
  const etag = rangeEtag(lineage.incarnation, from, tail, closed);
  const range = { from, to: tail, end: tail, etag, page, cold: [], cuts: last.cuts(), stretches: [] };
  return { ok: true, result: { ...result, ...range }, isEnd: true, cold: undefined };
}

function refuseTooMuch(count: number | undefined): Refusal {
  const what = count === undefined ? "The last messages" : `The last ${count} messages`;
  return refuse("parameter-invalid", `${what} take more than ${LAST_BYTES_MAX} bytes.`, {
    hint: "Ask for fewer messages, or read from an offset.",
  });
}
