/** Reads a range of cold bytes chunk by chunk, across segments. It holds one block, or a few, in memory. */

import { LINE_BYTES_MAX } from "@durable-streams-cloudflare/protocol";

import type { ColdSlice } from "../contracts/cold-slice.ts";
import { WindowMemory } from "./block-input.ts";
import { boundaryInBlock } from "./segment-format.ts";
import { readSlice, type ColdChunk } from "./segment-reader.ts";
import type { SegmentStore } from "./segment-store.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Appends of so many bytes make one page of appends, unless one has more: a line of an event stream. */
const EVENT_BYTES_MAX = LINE_BYTES_MAX;

export interface ColdPage {
  readonly bytes: Bytes;
  /** An append ends here, or the stretch does. */
  readonly isEnd: boolean;
}

export class ColdPages {
  readonly #chunks: AsyncGenerator<ColdChunk, void, undefined>;
  readonly #paging: "bytes" | "appends";
  readonly #to: number;
  /** Read already, and comes next. */
  #peeked: ColdChunk | undefined;

  /**
   * @param paging `bytes`: pages as they come, each of which may be overwritten once the next one is asked for; `appends`:
   * none has the end of an append in its middle only.
   */
  constructor(store: SegmentStore, slices: readonly ColdSlice[], paging: "bytes" | "appends") {
    this.#chunks = readSlices(store, slices, paging === "bytes" ? new WindowMemory() : undefined);
    this.#paging = paging;
    this.#to = slices.at(-1)?.to ?? 0;
  }

  /**
   * Where an append ended at or before the place that the stretch begins at: asked before the first page, of a place that
   * a client named.
   * @returns that place itself, or an earlier one, which is a boundary only if it is asked for and returned.
   */
  async boundary(): Promise<number> {
    this.#peeked = await this.#take();
    if (this.#peeked === undefined) throw new Error("A plan for reading cold segments is empty.");
    const { block, position } = this.#peeked;
    // The append that the block begins inside of began in an earlier one.
    return boundaryInBlock(block, position) ?? block.position - 1;
  }

  /**
   * @returns `undefined` at the end of the stretch.
   * @throws SegmentUnavailable when the store does not return the right bytes.
   */
  async next(): Promise<ColdPage | undefined> {
    const chunk = await this.#take();
    if (chunk === undefined) return undefined;
    const { position, bytes, block } = chunk;
    const isLast = position + bytes.length === this.#to;
    const end = this.#endOf(chunk, isLast);
    if (this.#paging === "bytes" || end === 0) return { bytes, isEnd: end === bytes.length };
    // What follows the last end in here begins an append that goes on in the next block.
    if (end < bytes.length) this.#peeked = { position: position + end, bytes: bytes.subarray(end), block };
    return { bytes: bytes.subarray(0, end), isEnd: true };
  }

  /** How much of a chunk is a page of its own. */
  #endOf(chunk: ColdChunk, isLast: boolean): number {
    const { length } = chunk.bytes;
    if (this.#paging === "bytes" || length <= EVENT_BYTES_MAX) return isLast ? length : endBefore(chunk, length);
    const end = endBefore(chunk, EVENT_BYTES_MAX) || endAfter(chunk, EVENT_BYTES_MAX);
    return end === 0 && isLast ? length : end;
  }

  /** Nothing more will be asked for. */
  cancel(): void {
    this.#chunks.return().catch(() => undefined);
  }

  async #take(): Promise<ColdChunk | undefined> {
    const peeked = this.#peeked;
    this.#peeked = undefined;
    if (peeked !== undefined) return peeked;
    const { done, value } = await this.#chunks.next();
    return done === true ? undefined : value;
  }
}

async function* readSlices(
  store: SegmentStore,
  slices: readonly ColdSlice[],
  memory: WindowMemory | undefined,
): AsyncGenerator<ColdChunk, void, undefined> {
  try {
    for (const slice of slices) yield* readSlice(store, slice, memory);
  } finally {
    memory?.release();
  }
}

/** The last end of an append in a chunk, at most `bytes` after its beginning; 0 if there is none. */
function endBefore({ position, block }: ColdChunk, bytes: number): number {
  const start = position - block.position;
  const end = block.ends.findLast((candidate) => candidate <= start + bytes) ?? 0;
  return Math.max(0, end - start);
}

/** The first end of an append in a chunk, more than `bytes` after its beginning; 0 if there is none. */
function endAfter({ position, bytes: { length }, block }: ColdChunk, bytes: number): number {
  const start = position - block.position;
  const end = block.ends.find((candidate) => candidate > start + bytes && candidate <= start + length);
  return end === undefined ? 0 : end - start;
}
