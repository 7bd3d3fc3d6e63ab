/**
 * Makes the values of R2 and KV survive a power cut. workerd syncs its databases, but not the files beside them that hold
 * the values: for about half a minute those would exist in memory only, while the stream has already deleted its own copy.
 */

import { open, readdir } from "node:fs/promises";
import { dirname } from "node:path";
import { join } from "node:path";

import { blobDirectories, BLOB_QUERIES, isWholeBlob } from "./blob-files.ts";

/** Makes the entries of a folder or the bytes of a file durable. */
type SyncPath = (path: string) => Promise<void>;

/** Syncs the files of one data directory. */
export class BlobSync {
  readonly #dataDir: string;
  readonly #syncPath: SyncPath;
  /** The names of the durable files, by folder. */
  readonly #synced = new Map<string, ReadonlySet<string>>();
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(dataDir: string, syncPath: SyncPath = syncWithDisk) {
    this.#dataDir = dataDir;
    this.#syncPath = syncPath;
  }

  /** Resolves when all files that existed at the time of the call are durable. Concurrent calls share one pass. */
  sync(): Promise<void> {
    if (this.#running === undefined) return this.#run();
    // The running pass may have listed the files before this call, so the caller needs the next one.
    this.#next ??= this.#running.catch(() => undefined).then(() => this.#run());
    return this.#next;
  }

  #run(): Promise<void> {
    this.#next = undefined;
    const running = this.#syncAll().finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    return running;
  }

  async #syncAll(): Promise<void> {
    for (const service of Object.keys(BLOB_QUERIES)) {
      for (const directory of blobDirectories(this.#dataDir, service)) await this.#syncDirectory(directory);
    }
  }

  async #syncDirectory(directory: string): Promise<void> {
    const known = this.#synced.get(directory);
    // The folder itself and the folders above it may be new.
    const above = known === undefined ? [dirname(directory), dirname(dirname(directory)), this.#dataDir] : [];
    for (const path of above) await this.#syncPath(path);
    const names = (await readdir(directory)).filter(isWholeBlob);
    const fresh = names.filter((name) => known?.has(name) !== true);
    for (const name of fresh) await this.#syncPath(join(directory, name));
    if (fresh.length > 0) await this.#syncPath(directory);
    this.#synced.set(directory, new Set(names));
  }
}

/** @throws Error of the file system, except when the path was removed in the meantime. */
async function syncWithDisk(path: string): Promise<void> {
  try {
    const file = await open(path, "r");
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}
