/** Core's segment store in memory, for the mode in which nothing is on disk. */

import { concatBytes } from "@durable-streams-cloudflare/core/kit/bytes";
import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";

type Bytes = Uint8Array<ArrayBuffer>;

/** Keys in one answer. */
const LIST_MAX = 1_000;
const READ_BYTES = 256 * 1024;

export class MemorySegments implements SegmentStore {
  readonly #segments = new Map<string, Bytes>();
  #bytes = 0;

  /** The size of all segments. */
  get bytes(): number {
    return this.#bytes;
  }

  async put(key: string, size: number, chunks: AsyncIterable<Bytes>, signal: AbortSignal): Promise<boolean> {
    const taken: Bytes[] = [];
    for await (const chunk of chunks) {
      signal.throwIfAborted();
      taken.push(chunk.slice());
    }
    const segment = concatBytes(taken);
    if (segment.length !== size) throw new Error(`A segment of ${size} bytes came to ${segment.length}.`);
    if (this.#segments.has(key)) return false;
    this.#segments.set(key, segment);
    this.#bytes += size;
    return true;
  }

  async get(key: string, offset: number, length: number): Promise<ReadableStream<Uint8Array> | undefined> {
    const segment = this.#segments.get(key);
    if (segment === undefined) return undefined;
    const range = segment.subarray(offset, offset + length);
    let position = 0;
    return new ReadableStream({
      type: "bytes",
      pull(controller) {
        const end = Math.min(position + READ_BYTES, range.length);
        // A copy: whoever reads may take the buffer away.
        if (end > position) controller.enqueue(range.slice(position, end));
        position = end;
        if (position < range.length) return;
        controller.close();
        controller.byobRequest?.respond(0);
      },
    });
  }

  async list(prefix: string): Promise<readonly string[]> {
    const keys: string[] = [];
    for (const key of this.#segments.keys()) {
      if (!key.startsWith(prefix)) continue;
      keys.push(key);
      if (keys.length === LIST_MAX) break;
    }
    return keys;
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      this.#bytes -= this.#segments.get(key)?.length ?? 0;
      this.#segments.delete(key);
    }
  }
}
