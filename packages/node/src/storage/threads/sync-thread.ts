/** Runs `fdatasync` of one file on a separate thread (`sync-worker.ts`). */

import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";

import { CELLS, CLOSE, FAILED, REQUESTED, SYNCED } from "./sync-share.ts";
import { threadFlags } from "./thread-flags.ts";

/** Request numbers wrap around here, well inside of 32 bits. */
const NUMBERS = 1 << 30;

/** The log is begun anew at half of this (`checkpointer.ts`), unless much is written meanwhile. */
const FILLED_BYTES = 16 * 1024 * 1024;

/** A thread that syncs one file on request. */
export class SyncThread {
  readonly #fd: number;
  readonly #cells = new Int32Array(new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT));
  readonly #worker: Worker;
  /** Of the sync that is waited for. */
  #waiting: PromiseWithResolvers<void> | undefined;
  #end: Error | undefined;
  #number = 0;

  /**
   * @param path of the `-wal` file, never of the database file: closing a descriptor of the database drops SQLite's own locks.
   */
  constructor(path: string) {
    this.#fd = openSync(path, "r+");
    fill(this.#fd);
    // What a server that was killed had committed is read from now on, so it must be durable.
    fdatasyncSync(this.#fd);
    this.#worker = new Worker(new URL(`./sync-worker${extname(import.meta.url)}`, import.meta.url), {
      execArgv: threadFlags(),
      workerData: { fd: this.#fd, buffer: this.#cells.buffer },
    });
    this.#worker.unref();
    const onEnd = (cause?: unknown): void => {
      this.#end ??= new Error("The sync thread has ended.", { cause });
      this.#waiting?.reject(this.#end);
    };
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
    if (this.#end !== undefined) throw this.#end;
    this.#worker.ref();
    try {
      const synced = Atomics.waitAsync(this.#cells, SYNCED, before);
      if (synced.async) await this.#unlessEnded(synced.value);
    } finally {
      this.#worker.unref();
    }
    if (Atomics.load(this.#cells, FAILED) !== 0) throw new Error("fdatasync of the write-ahead log failed.");
  }

  /** A race with a promise for the end of the thread would keep something of every sync until that end. */
  #unlessEnded(synced: Promise<unknown>): Promise<void> {
    const waiting = (this.#waiting = Promise.withResolvers<void>());
    void synced.then(() => waiting.resolve());
    return waiting.promise;
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

/**
 * Makes the file as long as it will become. To sync what is written inside of a file takes half as long as to sync a file that
 * grows. SQLite reads its log up to the first frame that is not valid, and zeros are none.
 */
function fill(fd: number): void {
  const { size } = fstatSync(fd);
  const zeros = new Uint8Array(1024 * 1024);
  try {
    for (let at = size; at < FILLED_BYTES;)
      at += writeSync(fd, zeros, 0, Math.min(zeros.length, FILLED_BYTES - at), at);
  } catch {
    // The disk has other uses for the space.
    ftruncateSync(fd, size);
  }
}
