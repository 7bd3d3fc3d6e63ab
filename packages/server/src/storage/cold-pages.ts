/** Reads a stretch of cold bytes piece by piece, across segments. It holds one block. */

import type { ColdSlice } from "../rpc/cold-slice.ts";
import { isBlockBoundary } from "./segment-format.ts";
import { readSlice, type ColdPiece } from "./segment-reader.ts";
import type { SegmentStore } from "./segment-store.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export interface ColdPage {
  readonly bytes: Bytes;
  /** An append ends here, or the stretch does. */
  readonly isEnd: boolean;
}

export class ColdPages {
  readonly #pieces: AsyncGenerator<ColdPiece, void, undefined>;
  readonly #paging: "bytes" | "appends";
  readonly #to: number;
  /** Read already, and comes next. */
  #peeked: ColdPiece | undefined;

  /** @param paging `bytes`: pages as they come; `appends`: none has the end of an append in its middle only. */
  constructor(store: SegmentStore, slices: readonly ColdSlice[], paging: "bytes" | "appends") {
    this.#pieces = readSlices(store, slices);
    this.#paging = paging;
    this.#to = slices.at(-1)?.to ?? 0;
  }

  /** Whether an append ended where the stretch begins: asked before the first page, of a place that a client named. */
  async beginsAtBoundary(): Promise<boolean> {
    this.#peeked = await this.#take();
    return this.#peeked !== undefined && isBlockBoundary(this.#peeked.block, this.#peeked.position);
  }

  /**
   * @returns `undefined` at the end of the stretch.
   * @throws SegmentUnavailable when the store does not bring the right bytes.
   */
  async next(): Promise<ColdPage | undefined> {
    const piece = await this.#take();
    if (piece === undefined) return undefined;
    const { position, bytes, block } = piece;
    const isLast = position + bytes.length === this.#to;
    const end = isLast ? bytes.length : lastEnd(piece);
    if (this.#paging === "bytes" || end === 0) return { bytes, isEnd: end === bytes.length };
    // What follows the last end in here begins an append that goes on in the next block.
    if (end < bytes.length) this.#peeked = { position: position + end, bytes: bytes.subarray(end), block };
    return { bytes: bytes.subarray(0, end), isEnd: true };
  }

  /** Nothing more will be asked for. */
  cancel(): void {
    this.#pieces.return().catch(() => undefined);
  }

  async #take(): Promise<ColdPiece | undefined> {
    const peeked = this.#peeked;
    this.#peeked = undefined;
    if (peeked !== undefined) return peeked;
    const { done, value } = await this.#pieces.next();
    return done === true ? undefined : value;
  }
}

async function* readSlices(
  store: SegmentStore,
  slices: readonly ColdSlice[],
): AsyncGenerator<ColdPiece, void, undefined> {
  for (const slice of slices) yield* readSlice(store, slice);
}

/** How much of a piece there is up to the last append that ends in it. */
function lastEnd({ position, bytes, block }: ColdPiece): number {
  const start = position - block.position;
  const end = block.ends.findLast((candidate) => candidate <= start + bytes.length) ?? 0;
  return Math.max(0, end - start);
}
