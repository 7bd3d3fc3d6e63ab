/**
 * Keeps the write-ahead log short. A thread of its own moves most pages; the main connection moves the last few, because the
 * log begins anew only when all of it has been moved and nobody reads. The file is never truncated: one that is written over
 * syncs twice as fast as one that grows.
 */

import { extname } from "node:path";
import { Worker } from "node:worker_threads";

import type { SharedDatabase } from "./shared-database.ts";

/** Pages in the log that are not in the database yet, from which on they are moved: 8 MB. */
const PENDING_PAGES = 2_048;
/** The most pages that the main thread moves itself, some milliseconds. */
const LAST_PAGES_MAX = 400;

export class Checkpointer {
  readonly #database: SharedDatabase;
  readonly #worker: Worker;
  #isBusy = false;
  /** The worker has done its part since the log began. */
  #isReady = false;
  #pending = 0;

  /** @param path of the database. */
  constructor(database: SharedDatabase, path: string, onError: (error: unknown) => void) {
    this.#database = database;
    this.#worker = new Worker(new URL(`./checkpoint-worker${extname(import.meta.url)}`, import.meta.url), {
      workerData: { path },
    });
    this.#worker.unref();
    this.#worker.on("error", onError);
    this.#worker.on("message", () => {
      this.#isBusy = false;
      this.#isReady = true;
    });
  }

  /** Pages in the log that were not in the database after the last commit that found the worker idle. */
  get pendingPages(): number {
    return this.#pending;
  }

  /** After a commit, while no transaction is open. */
  committed(): void {
    if (this.#isBusy) return;
    const pending = (this.#pending = this.#countPending());
    if (this.#isReady && pending <= LAST_PAGES_MAX) {
      this.#isReady = false;
      this.#database.text("PRAGMA wal_checkpoint(PASSIVE)").get();
      return;
    }
    if (pending < PENDING_PAGES) return;
    this.#isBusy = true;
    this.#worker.postMessage("checkpoint");
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#worker.once("exit", resolve));
    this.#worker.postMessage("close");
    await ended;
  }

  #countPending(): number {
    const row = this.#database.text("PRAGMA wal_checkpoint(NOOP)").get();
    return Number(row?.["log"]) - Number(row?.["checkpointed"]);
  }
}
