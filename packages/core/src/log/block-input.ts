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

/** So little is left of a window when the next one is read: it is copied to there. */
const AHEAD_BYTES = 320 * 1024;
/** Reads that have two windows, so that one is read while the other is sent. More readers at once have one each. */
export const READS_AHEAD_MAX = 32;

/**
 * The memory that one read uses again for each part of each file: new memory has to be cleared first, and freed later. It is
 * one window, or two by turns.
 */
export class WindowMemory {
  static #readsAhead = 0;

  #windows: Bytes[] = [new Uint8Array()];
  #turn = 0;

  /** Whether the next window leaves the one before as it is. The first reads to ask may have that, until their `release`. */
  isDouble(): boolean {
    if (this.#windows.length === 1 && WindowMemory.#readsAhead < READS_AHEAD_MAX) {
      WindowMemory.#readsAhead += 1;
      this.#windows.push(new Uint8Array());
    }
    return this.#windows.length > 1;
  }

  /** Returns memory for at least so many bytes. Unless the memory is double, it is the same as before, with what is there. */
  next(bytes: number): Bytes {
    this.#turn = (this.#turn + 1) % this.#windows.length;
    const window = this.#windows[this.#turn];
    if (window !== undefined && window.length >= bytes) return window;
    return (this.#windows[this.#turn] = new Uint8Array(bytes));
  }

  /** A read that was given up may still write into the memory, so it is not used again. */
  drop(): void {
    this.#windows = this.#windows.map(() => new Uint8Array());
  }

  /** Nothing more is read. */
  release(): void {
    if (this.#windows.length > 1) WindowMemory.#readsAhead -= 1;
    this.#windows = [new Uint8Array()];
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

/** A part of an object in memory. */
interface Window {
  /** Where it begins in the object. */
  readonly offset: number;
  readonly bytes: Bytes;
  /** How much of it was read. */
  readonly filled: number;
}

/** Reads some blocks at once; each block is a view of what was read. */
class FileInput implements BlockInput {
  readonly isIntact: (block: Bytes) => boolean;
  readonly #file: SegmentFile;
  readonly #memory: WindowMemory | undefined;
  readonly #end: number;
  #window: Window;
  /** How much of the window was passed on. */
  #taken = 0;
  /** The next window, which is being read. */
  #ahead: Promise<Window> | undefined;
  #isClosed = false;

  constructor(file: SegmentFile, offset: number, end: number, memory: WindowMemory | undefined) {
    this.#file = file;
    this.#window = { offset, bytes: new Uint8Array(), filled: 0 };
    this.#end = end;
    this.#memory = memory;
    this.isIntact = (block) => file.isIntact(block, this.#position - block.length);
  }

  async next(restOf: (header: Bytes) => number): Promise<Bytes> {
    await this.#need(BLOCK_HEADER_BYTES);
    const size = BLOCK_HEADER_BYTES + restOf(this.#view(BLOCK_HEADER_BYTES));
    await this.#need(size);
    const block = this.#view(size);
    this.#taken += size;
    this.#readAhead();
    return block;
  }

  cancel(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#file.close().catch(() => undefined);
  }

  /** Where what was not passed on begins in the object. */
  get #position(): number {
    return this.#window.offset + this.#taken;
  }

  get #unused(): number {
    return this.#window.filled - this.#taken;
  }

  #view(size: number): Bytes {
    return this.#window.bytes.subarray(this.#taken, this.#taken + size);
  }

  /** Moves the window to what was not passed on yet, unless enough of that is there. */
  async #need(bytes: number): Promise<void> {
    if (this.#unused >= bytes) return;
    if (this.#ahead !== undefined) this.#use(await this.#ahead);
    if (this.#unused >= bytes) return;
    if (this.#end - this.#position < bytes) throw new SegmentError("The object is truncated.");
    this.#use(await this.#load(bytes));
    if (this.#unused < bytes) throw new SegmentError("The object is truncated.");
  }

  #use(window: Window): void {
    this.#taken = this.#position - window.offset;
    this.#window = window;
    this.#ahead = undefined;
  }

  /** Lets the disk work while what is left of the window is sent. */
  #readAhead(): void {
    const isEnd = this.#window.offset + this.#window.filled === this.#end;
    if (isEnd || this.#ahead !== undefined || this.#unused >= AHEAD_BYTES || this.#memory?.isDouble() !== true) return;
    this.#ahead = this.#load(0);
    // Whoever has gone asks for no more; all others get the error when they do.
    this.#ahead.catch(() => undefined);
  }

  /** Reads a window that begins with what was not passed on, and holds at least so many bytes. */
  async #load(bytes: number): Promise<Window> {
    const offset = this.#position;
    const left = this.#end - offset;
    const size = Math.min(left, Math.max(bytes, WINDOW_BYTES));
    const rest = this.#window.bytes.subarray(this.#taken, this.#window.filled);
    const window = this.#memory?.next(size) ?? new Uint8Array(size);
    window.set(rest);
    const filled = rest.length + (await this.#read(window.subarray(rest.length, size), offset + rest.length));
    // All is read; whoever has what he wants does not ask again.
    if (filled === left) this.cancel();
    return { offset, bytes: window, filled };
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
