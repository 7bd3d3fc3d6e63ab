/** Locks a data directory, so that only one server uses it: an empty second database, kept locked while the server runs. */

import { DatabaseSync } from "node:sqlite";

import { primaryCodeOf, SQLITE } from "./sqlite-error.ts";
import { StorageError } from "./storage-error.ts";

const NOT_IN_USE = 0;
const IN_USE = 1;

/** An exclusive lock, held until `close` or the end of the process. */
export class DirectoryLock {
  readonly #sqlite: DatabaseSync;

  /**
   * @param path of the lock's database file.
   * @throws StorageError if another server uses the directory.
   */
  constructor(path: string) {
    this.#sqlite = new DatabaseSync(path, { timeout: 0 });
    try {
      this.#sqlite.exec("PRAGMA locking_mode = EXCLUSIVE");
      this.#sqlite.exec("BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS held (id INTEGER PRIMARY KEY); COMMIT");
    } catch (error) {
      this.#sqlite.close();
      throw explain(path, error);
    }
  }

  /** Whether the last server was killed, or the machine. What its databases need to be read is then beside them. */
  get wasKilled(): boolean {
    return this.#sqlite.prepare("PRAGMA user_version").get()?.["user_version"] === IN_USE;
  }

  /** Writes down whether the databases are in use, durably. */
  mark(isInUse: boolean): void {
    this.#sqlite.exec(`PRAGMA user_version = ${isInUse ? IN_USE : NOT_IN_USE}`);
  }

  close(): void {
    this.#sqlite.close();
  }
}

function explain(path: string, error: unknown): unknown {
  const code = primaryCodeOf(error);
  if (code === SQLITE.busy) {
    return new StorageError("Another server is using the data directory.", {
      fix: "stop that server, or use another directory: --data-dir DIR",
      cause: error,
    });
  }
  if (code !== SQLITE.corrupt && code !== SQLITE.notADatabase) return error;
  return new StorageError(`${path} is damaged. It holds no data.`, {
    fix: `remove it and start again: rm '${path}'`,
    cause: error,
  });
}
