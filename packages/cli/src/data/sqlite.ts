/** Reads the databases of an unused data directory without changing a byte in it. */

import { copyFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";

/**
 * Opens a database, passes it to `work`, and closes it. If a crash has left a journal, the database is copied first, because
 * SQLite would have to write in order to read it.
 * @throws Error when the file is not a database.
 */
export async function withDatabase<Result>(path: string, work: (database: DatabaseSync) => Result): Promise<Result> {
  // Loaded here, because most commands also run on versions of Node.js without SQLite.
  const { DatabaseSync: Database } = await import("node:sqlite");
  const url = pathToFileURL(path);
  if (sizeOf(`${path}-wal`) === 0) {
    url.searchParams.set("immutable", "1");
    return using(new Database(url, { readOnly: true }), work);
  }
  const folder = mkdtempSync(join(tmpdir(), "durable-streams-verify-"));
  try {
    const copy = join(folder, basename(path));
    copyFileSync(path, copy);
    copyFileSync(`${path}-wal`, `${copy}-wal`);
    return using(new Database(copy), work);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What is wrong with a database; `undefined` if it is intact. */
export async function findDamage(path: string): Promise<string | undefined> {
  try {
    return await withDatabase(path, (database) => {
      const rows = database.prepare("PRAGMA integrity_check(5)").all() as { integrity_check: string }[];
      const found = rows.map((row) => row.integrity_check).join("; ");
      return found === "ok" ? undefined : found;
    });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function using<Result>(database: DatabaseSync, work: (database: DatabaseSync) => Result): Result {
  try {
    return work(database);
  } finally {
    database.close();
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
