/** Locks a data directory, so that only one server uses it: an empty second database, kept locked while the server runs. */

import { DatabaseSync } from "node:sqlite";

/** An exclusive lock, held until `close` or the end of the process. */
export class DirectoryLock {
  readonly #sqlite: DatabaseSync;

  /**
   * @param path of the lock's database file.
   * @throws Error if another server uses the directory.
   */
  constructor(path: string) {
    this.#sqlite = new DatabaseSync(path);
    try {
      this.#sqlite.exec("PRAGMA locking_mode = EXCLUSIVE");
      this.#sqlite.exec("BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS held (id INTEGER PRIMARY KEY); COMMIT");
    } catch (error) {
      this.#sqlite.close();
      throw new Error("Another server is using the data directory. Stop it first, or choose another --data-dir.", {
        cause: error,
      });
    }
  }

  close(): void {
    this.#sqlite.close();
  }
}
