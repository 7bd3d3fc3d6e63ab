/** Where the blocks of a segment come from: a file that is read in place, or a stream of bytes. */

import type { ColdSlice } from "../contracts/cold-slice.ts";
import { withTimeout } from "../kit/with-timeout.ts";
import { ROW_BYTES_MAX } from "./log-rows.ts";
import { BLOCK_HEADER_BYTES, SegmentError } from "./segment-format.ts";
import type { SegmentFile, SegmentStore } from "./segment-store.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Silence of the store that counts as a failure. */
const SILENCE_MS_MAX = 5_000;
/** What is read from a file at once: a few blocks, or one of the largest that streams of large appends consist of. */
const WINDOW_BYTES = ROW_BYTES_MAX + 128 * 1024;

/** The memory that one read uses again for each part of each file: new memory has to be cleared first, and freed later. */
export class WindowMemory {
  #bytes: Bytes = new Uint8Array();

  /** Returns memory for at least so many bytes. What was there before stays there, unless the memory has to grow. */
  ofSize(bytes: number): Bytes {
    if (this.#bytes.length < bytes) this.#bytes = new Uint8Array(bytes);
    return this.#bytes;
  }

  /** A read that was given up may still write into the memory, so it is not used again. */
  drop(): void {
    this.#bytes = new Uint8Array();
  }
}

export interface BlockInput {
  /**
   * The bytes of the next block.
   * @param restOf how many bytes follow such a header.
   * @throws SegmentError when the object ends before that.
   */
  next(restOf: (header: Bytes) => number): Promise<Bytes>;
  cancel(): void;
  /** Whether the last block has its checksum, if there is a quicker way to find out than the Web's. */
  readonly isIntact?: (block: Bytes) => boolean;
}

/**
 * Opens the blocks from a place of a segment on; `undefined` when there is no such object.
 * @param memory is used for each block, if a block is of no use any more when the next one is asked for.
 */
export async function openInput(
  store: SegmentStore,
  { key, end }: ColdSlice,
  offset: number,
  memory: WindowMemory | undefined,
): Promise<BlockInput | undefined> {
  if (store.open !== undefined) {
    const file = await opened(store.open(key), (late) => late.close());
    return file && new FileInput(file, offset, end, memory);
  }
  const stream = await opened(store.get(key, offset, end - offset), (late) => late.cancel());
  return stream && new StreamInput(stream);
}

/** @param letGo of what comes too late: it is not read. */
async function opened<Opened>(
  opening: Promise<Opened | undefined>,
  letGo: (late: Opened) => Promise<void>,
): Promise<Opened | undefined> {
  try {
    return await withTimeout(SILENCE_MS_MAX, opening);
  } catch (error) {
    void opening.then((late) => (late === undefined ? undefined : letGo(late))).catch(() => undefined);
    throw error;
  }
}

/** Reads some blocks at once; each block is a view of what was read. */
class FileInput implements BlockInput {
  readonly isIntact: (block: Bytes) => boolean;
  readonly #file: SegmentFile;
  readonly #memory: WindowMemory | undefined;
  readonly #end: number;
  /** Where the window lies in the object. */
  #offset: number;
  #window: Bytes = new Uint8Array();
  /** How much of the window was read, and how much of that was passed on. */
  #filled = 0;
  #taken = 0;
  #isClosed = false;

  constructor(file: SegmentFile, offset: number, end: number, memory: WindowMemory | undefined) {
    this.#file = file;
    this.#offset = offset;
    this.#end = end;
    this.#memory = memory;
    this.isIntact = (block) => file.isIntact(block, this.#offset + this.#taken - block.length);
  }

  async next(restOf: (header: Bytes) => number): Promise<Bytes> {
    await this.#need(BLOCK_HEADER_BYTES);
    const size = BLOCK_HEADER_BYTES + restOf(this.#view(BLOCK_HEADER_BYTES));
    await this.#need(size);
    const block = this.#view(size);
    this.#taken += size;
    return block;
  }

  cancel(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#file.close().catch(() => undefined);
  }

  #view(size: number): Bytes {
    return this.#window.subarray(this.#taken, this.#taken + size);
  }

  /** Moves the window to what was not passed on yet, unless enough of that is there. */
  async #need(bytes: number): Promise<void> {
    if (this.#filled - this.#taken >= bytes) return;
    this.#offset += this.#taken;
    const left = this.#end - this.#offset;
    if (left < bytes) throw new SegmentError("The object is truncated.");
    const wanted = Math.min(left, Math.max(bytes, WINDOW_BYTES));
    // What was read and not passed on is the beginning of the next block.
    const rest = this.#window.subarray(this.#taken, this.#filled);
    const window = this.#memory?.ofSize(wanted) ?? new Uint8Array(wanted);
    window.set(rest);
    this.#window = window;
    this.#taken = 0;
    this.#filled = rest.length;
    this.#filled += await this.#read(window.subarray(rest.length, wanted), this.#offset + rest.length);
    if (this.#filled < bytes) throw new SegmentError("The object is truncated.");
    // All is read; whoever has what he wants does not ask again.
    if (this.#filled === left) this.cancel();
  }

  async #read(target: Bytes, offset: number): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      const reading = this.#file.read(target.subarray(filled), offset + filled);
      const count = await withTimeout(SILENCE_MS_MAX, reading);
      if (count === 0) break;
      filled += count;
    }
    return filled;
  }
}

/** Takes exact amounts from a stream of bytes, each straight into its place. */
class StreamInput implements BlockInput {
  readonly #reader: ReadableStreamBYOBReader;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader({ mode: "byob" });
  }

  async next(restOf: (header: Bytes) => number): Promise<Bytes> {
    const header = await this.#fill(new Uint8Array(BLOCK_HEADER_BYTES), 0);
    const buffer = new Uint8Array(header.length + restOf(header));
    buffer.set(header);
    return this.#fill(buffer, header.length);
  }

  cancel(): void {
    this.#reader.cancel().catch(() => undefined);
  }

  /** Fills a buffer from a place on, and gives it back: the one that was passed in is of no more use. */
  async #fill(target: Bytes, start: number): Promise<Bytes> {
    const rest = target.length - start;
    if (rest === 0) return target;
    const { value } = await withTimeout(SILENCE_MS_MAX, this.#readAtLeast(rest, target.subarray(start)));
    if (value === undefined || value.length < rest) throw new SegmentError("The object is truncated.");
    return new Uint8Array(value.buffer);
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
