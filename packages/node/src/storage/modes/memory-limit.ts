/** What the mode `memory` may store: the pages of its database that are in use, and its cold segments. */

import { refuseFull, type StorageFault } from "@durable-streams-cloudflare/http/limits/storage-status";
import type { Refusal } from "@durable-streams-cloudflare/protocol";

import type { SharedDatabase } from "../shared-database.ts";

/** What a write takes besides its bytes: pages of tables and indexes. */
const OVERHEAD_BYTES = 4_096;

export class MemoryLimit {
  readonly #bytesMax: number;
  readonly #measure: () => number;
  /** No more than this is in use. To ask SQLite for each write would cost as much as the write. */
  #bytesAtMost = Infinity;

  /** @param measure the bytes that are in use. */
  constructor(bytesMax: number, measure: () => number) {
    this.#bytesMax = bytesMax;
    this.#measure = measure;
  }

  /** Whether there is no room for a write; if there is, it counts as stored. */
  isFullFor(bytes: number): boolean {
    // A row has its pages almost to itself when it is a little too large for one.
    const needed = 2 * bytes + OVERHEAD_BYTES;
    if (this.#bytesAtMost + needed > this.#bytesMax) this.#bytesAtMost = this.#measure();
    if (this.#bytesAtMost + needed > this.#bytesMax) return true;
    this.#bytesAtMost += needed;
    return false;
  }

  /** The same for whoever is about to send something. */
  get fault(): StorageFault {
    const detail = `The streams in memory have reached their limit of ${this.#bytesMax} bytes.`;
    return { isFull: true, detail, hint: "Delete streams, or start the server with a greater maxMemoryBytes." };
  }

  /** What an append is answered for which there is no room. */
  readonly refuse = (): Refusal => refuseFull(this.fault);
}

/** The bytes of a database's pages, without those that are free. */
export function usedBytes(database: SharedDatabase): number {
  const pragma = (name: string): number => Number(database.text(`PRAGMA ${name}`).get()?.[name]);
  return (pragma("page_count") - pragma("freelist_count")) * pragma("page_size");
}
