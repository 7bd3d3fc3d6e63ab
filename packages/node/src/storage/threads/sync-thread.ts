/** Runs `fdatasync` of one file on a separate thread (`sync-worker.ts`). */

import { closeSync, fdatasyncSync, openSync } from "node:fs";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";

import { CELLS, CLOSE, FAILED, REQUESTED, SYNCED } from "./sync-share.ts";

/** Request numbers wrap around here, well inside of 32 bits. */
const NUMBERS = 1 << 30;

/** A thread that syncs one file on request. */
export class SyncThread {
  readonly #fd: number;
  readonly #cells = new Int32Array(new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT));
  readonly #worker: Worker;
  readonly #ended = Promise.withResolvers<never>();
  #number = 0;

  /**
   * @param path of the `-wal` file, never of the database file: closing a descriptor of the database drops SQLite's own locks.
   */
  constructor(path: string) {
    this.#fd = openSync(path, "r+");
    // What a server that was killed had committed is read from now on, so it must be durable.
    fdatasyncSync(this.#fd);
    this.#ended.promise.catch(() => undefined);
    this.#worker = new Worker(new URL(`./sync-worker${extname(import.meta.url)}`, import.meta.url), {
      workerData: { fd: this.#fd, buffer: this.#cells.buffer },
    });
    this.#worker.unref();
    const onEnd = (cause?: unknown): void => this.#ended.reject(new Error("The sync thread has ended.", { cause }));
    this.#worker.once("error", onEnd);
    this.#worker.once("exit", () => onEnd());
  }

  /**
   * Resolves when everything written to the file so far is durable. Only one call may be in flight. Keeps the process alive
   * meanwhile.
   * @throws Error if `fdatasync` failed: it is then unknown what is durable, and a second attempt that succeeds proves nothing.
   */
  async sync(): Promise<void> {
    const before = this.#number;
    const number = (this.#number = (before + 1) % NUMBERS);
    Atomics.store(this.#cells, REQUESTED, number);
    Atomics.notify(this.#cells, REQUESTED);
    this.#worker.ref();
    try {
      const waiting = Atomics.waitAsync(this.#cells, SYNCED, before);
      if (waiting.async) await Promise.race([waiting.value, this.#ended.promise]);
    } finally {
      this.#worker.unref();
    }
    if (Atomics.load(this.#cells, FAILED) !== 0) throw new Error("fdatasync of the write-ahead log failed.");
  }

  async close(): Promise<void> {
    // Nothing else may keep the process alive now, and it must not end before the database is closed.
    this.#worker.ref();
    Atomics.store(this.#cells, REQUESTED, CLOSE);
    Atomics.notify(this.#cells, REQUESTED);
    await this.#worker.terminate();
    closeSync(this.#fd);
  }
}
