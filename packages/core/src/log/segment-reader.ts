/**
 * Reads the blocks of a segment in order, and verifies each before passing it on. After a failure it continues at the block
 * that is missing. So a reader gets the right bytes or an error, never wrong bytes and never fewer.
 */

import type { ColdSlice } from "../contracts/cold-slice.ts";
import { withTimeout } from "../kit/with-timeout.ts";
import { wait } from "../kit/yield.ts";
import { BLOCK_HEADER_BYTES, blockRestBytes, decodeBlock, SegmentError, type Block } from "./segment-format.ts";
import type { SegmentStore } from "./segment-store.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Which part of one block to read. */
export interface ColdChunk {
  readonly position: number;
  readonly bytes: Bytes;
  readonly block: Block;
}

/** Thrown when a segment cannot be read: the store fails, hangs, has lost the object, or returns damaged bytes. */
export class SegmentUnavailable extends Error {
  override readonly name = "SegmentUnavailable";
}

const TRIES = 4;
const FIRST_DELAY_MS = 50;
/** Silence of the store that counts as a failure. */
const SILENCE_MS_MAX = 5_000;

/** @throws SegmentUnavailable after as many tries as it makes for one block. */
export async function* readSlice(store: SegmentStore, slice: ColdSlice): AsyncGenerator<ColdChunk, void, undefined> {
  for await (const block of readBlocks(store, slice)) {
    const { position, payload } = block;
    const start = Math.max(0, slice.from - position);
    const end = Math.min(payload.length, slice.to - position);
    yield { position: position + start, bytes: payload.subarray(start, Math.max(start, end)), block };
  }
}

async function* readBlocks(store: SegmentStore, slice: ColdSlice): AsyncGenerator<Block, void, undefined> {
  const place = { offset: slice.offset, position: slice.position };
  for (let tries = 1; place.offset < slice.end; tries += 1) {
    try {
      for await (const block of readOnce(store, slice, place)) {
        tries = 0;
        yield block;
      }
    } catch (error) {
      if (tries >= TRIES) throw new SegmentUnavailable(`The segment ${slice.key} cannot be read.`, { cause: error });
      await wait(FIRST_DELAY_MS * 2 ** tries * (0.5 + Math.random()));
    }
  }
}

/** Moves the place on with each block that was good. */
async function* readOnce(
  store: SegmentStore,
  { key, incarnation, end }: ColdSlice,
  place: { offset: number; position: number },
): AsyncGenerator<Block, void, undefined> {
  const opening = store.get(key, place.offset, end - place.offset);
  const stream = await withTimeout(SILENCE_MS_MAX, opening).catch((error: unknown) => {
    // What comes too late is not read.
    void opening.then((late) => late?.cancel()).catch(() => undefined);
    throw error;
  });
  if (stream === undefined) throw new SegmentError("The object does not exist.");
  const input = new ExactReader(stream);
  try {
    while (place.offset < end) {
      const header = await input.fill(new Uint8Array(BLOCK_HEADER_BYTES), 0);
      const buffer = new Uint8Array(header.length + blockRestBytes(header, incarnation, place.position));
      buffer.set(header);
      const bytes = await input.fill(buffer, header.length);
      const block = await decodeBlock(bytes);
      place.offset += bytes.length;
      place.position += block.payload.length;
      yield block;
    }
  } finally {
    // Also when the client went away: nothing is read for nobody.
    input.cancel();
  }
}

/** Takes exact amounts from a stream of bytes, each straight into its place. */
class ExactReader {
  readonly #reader: ReadableStreamBYOBReader;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader({ mode: "byob" });
  }

  /**
   * Fills a buffer from a place on, and gives it back: the one that was passed in is of no more use.
   * @throws SegmentError when the stream ends before that.
   */
  async fill(target: Bytes, start: number): Promise<Bytes> {
    const rest = target.length - start;
    if (rest === 0) return target;
    const { value } = await withTimeout(SILENCE_MS_MAX, this.#readAtLeast(rest, target.subarray(start)));
    if (value === undefined || value.length < rest) throw new SegmentError("The object is truncated.");
    return new Uint8Array(value.buffer);
  }

  cancel(): void {
    this.#reader.cancel().catch(() => undefined);
  }

  /** One runtime has a method of its own for what is an option elsewhere. */
  #readAtLeast(min: number, view: Bytes): Promise<{ readonly value?: Bytes | undefined }> {
    const reader: MinReader = this.#reader;
    return reader.readAtLeast?.(min, view) ?? reader.read(view, { min });
  }
}

interface MinReader {
  read(view: Bytes, options: { readonly min: number }): Promise<{ readonly value?: Bytes | undefined }>;
  readAtLeast?(min: number, view: Bytes): Promise<{ readonly value?: Bytes | undefined }>;
}
