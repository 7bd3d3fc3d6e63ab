/** Limits what the mode `memory` stores: the used pages of its database, and its cold segments. */

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

  /**
   * @param bytesMax the limit.
   * @param measure returns the number of bytes in use.
   */
  constructor(bytesMax: number, measure: () => number) {
    this.#bytesMax = bytesMax;
    this.#measure = measure;
  }

  /** Whether a write would exceed the limit. A write that would not counts as stored from then on. */
  isFullFor(bytes: number): boolean {
    // A row has its pages almost to itself when it is a little too large for one.
    const needed = 2 * bytes + OVERHEAD_BYTES;
    if (this.#bytesAtMost + needed > this.#bytesMax) this.#bytesAtMost = this.#measure();
    if (this.#bytesAtMost + needed > this.#bytesMax) return true;
    this.#bytesAtMost += needed;
    return false;
  }

  /** The fault that is reported to clients while the limit is reached. */
  get fault(): StorageFault {
    const detail = `The streams in memory have reached their limit of ${this.#bytesMax} bytes.`;
    return { isFull: true, detail, hint: "Delete streams, or start the server with a greater maxMemoryBytes." };
  }

  /** Makes the refusal of an append that would exceed the limit. */
  readonly refuse = (): Refusal => refuseFull(this.fault);
}

/** The number of bytes in a database's pages, without free pages. */
export function usedBytes(database: SharedDatabase): number {
  const pragma = (name: string): number => Number(database.text(`PRAGMA ${name}`).get()?.[name]);
  return (pragma("page_count") - pragma("freelist_count")) * pragma("page_size");
}
