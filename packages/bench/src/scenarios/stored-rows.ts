/** Counts what a server on this machine has stored, in a copy of its files: only the server may open them while it runs. */
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** The number of rows in the logs of all sessions, one per commit. Nothing may be written during the count. */
export function sessionRows(dataDir: string): number {
  const directory = mkdtempSync(join(tmpdir(), "bench-rows-"));
  const copy = join(directory, "copy.sqlite");
  try {
    const files = readdirSync(dataDir, { recursive: true, encoding: "utf8" });
    const databases = files.filter((file) => file.includes("StreamDO") && file.endsWith(".sqlite"));
    return databases.reduce((sum, file) => sum + rowsInCopy(join(dataDir, file), copy), 0);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Copies the journal first: what the server moves from it into the database in the meantime is then in the database's copy. */
function rowsInCopy(path: string, copy: string): number {
  rmSync(`${copy}-wal`, { force: true });
  try {
    copyFileSync(`${path}-wal`, `${copy}-wal`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  copyFileSync(path, copy);
  return rowsIn(copy);
}

function rowsIn(path: string): number {
  const database = new DatabaseSync(path);
  try {
    const isStream = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'stream'").get() !== undefined;
    if (!isStream || database.prepare("SELECT kind FROM stream").get()?.["kind"] !== "session") return 0;
    return Number(database.prepare("SELECT count(*) AS count FROM log").get()?.["count"] ?? 0);
  } finally {
    database.close();
  }
}
