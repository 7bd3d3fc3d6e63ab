/** What a server of this machine has written, counted in a copy of its files: it alone may open them while it runs. */
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** Rows in the logs of all sessions, one for each commit. Nothing may be written meanwhile. */
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

/** The journal first: what the server moves out of it meanwhile is in the file that is copied then. */
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
