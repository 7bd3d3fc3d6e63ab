/**
 * Makes what R2 and KV hold survive a power cut. workerd syncs its databases, but not the files of values beside them: for
 * half a minute they would be in the memory of the system alone, while the stream has dropped what it has moved there.
 */

import { open, readdir } from "node:fs/promises";
import { dirname } from "node:path";
import { join } from "node:path";

import { blobDirectories, BLOB_QUERIES, isWholeBlob } from "./blob-files.ts";

/** Makes the entries of a folder, or the bytes of a file, durable. */
type SyncPath = (path: string) => Promise<void>;

export class BlobSync {
  readonly #dataDir: string;
  readonly #syncPath: SyncPath;
  /** What is durable, by folder. */
  readonly #synced = new Map<string, ReadonlySet<string>>();
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(dataDir: string, syncPath: SyncPath = syncWithDisk) {
    this.#dataDir = dataDir;
    this.#syncPath = syncPath;
  }

  /** Resolves when all files that were there at the call are durable. Calls that come together share one look. */
  sync(): Promise<void> {
    if (this.#running === undefined) return this.#run();
    // What runs may have looked already; one that begins after it has not.
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
    // The folder itself may be new, and those above it.
    const above = known === undefined ? [dirname(directory), dirname(dirname(directory)), this.#dataDir] : [];
    for (const path of above) await this.#syncPath(path);
    const names = (await readdir(directory)).filter(isWholeBlob);
    const fresh = names.filter((name) => known?.has(name) !== true);
    for (const name of fresh) await this.#syncPath(join(directory, name));
    if (fresh.length > 0) await this.#syncPath(directory);
    this.#synced.set(directory, new Set(names));
  }
}

/** @throws Error of the file system, but for what has been removed meanwhile. */
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
