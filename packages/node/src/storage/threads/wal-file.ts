/** Makes the write-ahead log durable in the mode that does not do so for each commit. */

import { closeSync, fdatasync, openSync } from "node:fs";
import { promisify } from "node:util";

const datasync = promisify(fdatasync);

export class WalFile {
  readonly #fd: number;
  readonly #onFatal: (error: unknown) => void;
  #syncing: Promise<void> | undefined;

  /** @param path of the `-wal` file, never of the database file: closing a descriptor of that drops SQLite's own locks. */
  constructor(path: string, onFatal: (error: unknown) => void) {
    this.#fd = openSync(path, "r+");
    this.#onFatal = onFatal;
  }

  /** Resolves when everything that was written before the call is durable. Called rarely. */
  async sync(): Promise<void> {
    // One that is under way may have begun before the last write.
    while (this.#syncing !== undefined) await this.#syncing;
    this.#syncing = this.#sync();
    try {
      await this.#syncing;
    } finally {
      this.#syncing = undefined;
    }
  }

  async close(): Promise<void> {
    await this.#syncing?.catch(() => undefined);
    closeSync(this.#fd);
  }

  async #sync(): Promise<void> {
    try {
      await datasync(this.#fd);
    } catch (error) {
      // What was to be synced may be dropped, so that another try would succeed and prove nothing.
      this.#onFatal(error);
      throw error;
    }
  }
}
