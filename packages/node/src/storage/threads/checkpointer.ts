/**
 * Keeps the write-ahead log short. A separate thread moves most pages. The main connection moves the last few, because the log
 * starts over only when all of it was moved and nobody is reading. The file is never truncated: overwriting a file syncs twice
 * as fast as growing one.
 */

import type { SharedDatabase } from "../shared-database.ts";
import { isPassing } from "../sqlite-error.ts";
import type { CheckpointThread } from "./checkpoint-thread.ts";

/** Pages in the log that are not in the database yet, from which on they are moved: 8 MB. */
const PENDING_PAGES = 2_048;
/** The most pages that the main thread moves itself, some milliseconds. */
const LAST_PAGES_MAX = 400;
/** After a checkpoint for which the disk had no space, in ms. */
const RETRY_MS = 5_000;

/** Starts checkpoints when the log has grown, one at a time. */
export class Checkpointer {
  readonly #database: SharedDatabase;
  readonly #path: string;
  readonly #thread: CheckpointThread;
  #isBusy = false;
  /** The worker has done its part since the log began. */
  #isReady = false;
  #notBeforeMs = 0;
  #pending = 0;
  readonly #onError: (error: unknown) => void;

  /**
   * @param path of the database file.
   * @param onError called when a checkpoint has failed for good, which a retry cannot mend.
   */
  constructor(database: SharedDatabase, path: string, thread: CheckpointThread, onError: (error: unknown) => void) {
    this.#database = database;
    this.#path = path;
    this.#thread = thread;
    this.#onError = onError;
  }

  /**
   * The number of pages in the log that were not yet in the database, as measured after the last commit that found the worker
   * idle.
   */
  get pendingPages(): number {
    return this.#pending;
  }

  /**
   * Called after a commit, while no transaction is open. Starts or finishes a checkpoint if the log is long enough. Never
   * throws, because a failed checkpoint does not affect the commit.
   */
  committed(): void {
    if (this.#isBusy || performance.now() < this.#notBeforeMs) return;
    try {
      this.#look();
    } catch (error) {
      if (!isPassing(error)) return this.#onError(error);
      this.#notBeforeMs = performance.now() + RETRY_MS;
    }
  }

  #look(): void {
    const pending = (this.#pending = this.#countPending());
    if (this.#isReady && pending <= LAST_PAGES_MAX) {
      this.#isReady = false;
      this.#database.text("PRAGMA wal_checkpoint(PASSIVE)").get();
      return;
    }
    if (pending < PENDING_PAGES) return;
    this.#isBusy = true;
    this.#thread.checkpoint(this.#path, (outcome) => {
      this.#isBusy = false;
      if (outcome === "done") this.#isReady = true;
      else this.#notBeforeMs = performance.now() + RETRY_MS;
    });
  }

  #countPending(): number {
    const row = this.#database.text("PRAGMA wal_checkpoint(NOOP)").get();
    return Number(row?.["log"]) - Number(row?.["checkpointed"]);
  }
}
