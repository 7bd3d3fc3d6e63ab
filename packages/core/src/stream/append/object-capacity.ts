/** Refuses appends before a Durable Object's database reaches its limit of 10 GB, at which nothing works any more. */

import { refuse } from "@durable-streams-cloudflare/protocol";

import type { AppendCommand } from "../../contracts/stream.ts";

/** What is above this is left for closing, deleting and moving bytes to R2. */
const DATABASE_BYTES_MAX = 9_500_000_000;

/** More than a commit takes besides its bytes, whatever it notes, and whatever is written between two commits. */
const COMMIT_OVERHEAD_BYTES = 64 * 1024;

export class ObjectCapacity {
  readonly #databaseBytes: () => number;
  /** The database is not larger than this. To ask SQLite takes 5 % of an append's time. */
  #bytesAtMost = Infinity;

  constructor(databaseBytes: () => number) {
    this.#databaseBytes = databaseBytes;
  }

  /** Whether the database is full; if not, the batch is counted as stored. */
  isFullFor(batch: readonly AppendCommand[]): boolean {
    for (const { bytes } of batch) this.#bytesAtMost += 2 * bytes.length;
    this.#bytesAtMost += COMMIT_OVERHEAD_BYTES;
    if (this.#bytesAtMost > DATABASE_BYTES_MAX) this.#bytesAtMost = this.#databaseBytes();
    return this.#bytesAtMost > DATABASE_BYTES_MAX;
  }
}

export const STORAGE_FULL = refuse("storage-full", "The stream has reached the storage limit of its object.", {
  hint: "Bind SEGMENTS so that old data moves to R2, or continue in another stream.",
});
