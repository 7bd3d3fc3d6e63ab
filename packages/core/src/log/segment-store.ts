/** The port to the store of segments: R2, a folder, or a test's fake. */

type Bytes = Uint8Array<ArrayBuffer>;

export interface SegmentStore {
  /**
   * Writes an object of a known size, unless there is one of that name.
   * @returns `false` when there is one already; it is left as it is.
   */
  put(key: string, size: number, chunks: AsyncIterable<Bytes>, signal: AbortSignal): Promise<boolean>;
  /** Part of an object, as a stream of bytes; `undefined` when there is no such object. */
  get(key: string, offset: number, length: number): Promise<ReadableStream<Uint8Array> | undefined>;
  /**
   * An object to read in place, where the store is on this machine: segments are then read through it, without a copy of each
   * block. `undefined` when there is no such object.
   */
  readonly open?: (key: string) => Promise<SegmentFile | undefined>;
  /** Keys that begin like that, at most a thousand. */
  list(prefix: string): Promise<readonly string[]>;
  /** Deletes at most a thousand objects; those that are not there do no harm. */
  delete(keys: readonly string[]): Promise<void>;
}

export interface SegmentFile {
  /** Reads from a place of the object on. @returns how many bytes: fewer than fit only where the object ends. */
  read(target: Bytes, offset: number): Promise<number>;
  close(): Promise<void>;
  /**
   * Whether a block that was read from a place of the object has the checksum that it begins with (`hasChecksum`). A host
   * computes it without the copy that the Web's function makes.
   */
  isIntact(block: Bytes, offset: number): boolean;
}
