import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { WORKER_NAME } from "./worker-name.ts";

/** SQLite's page: a database with a table has two at the least, so one alone holds nothing. */
const EMPTY_BYTES_MAX = 4096;
/** Where SQLite's header has the number of pages. */
const PAGES_AT = 28;
const DATABASE = ".sqlite";
/** What Miniflare keeps of all objects of a kind: their alarms. */
const METADATA = `metadata${DATABASE}`;
/** Files that are looked at side by side. */
const AT_ONCE = 64;

/**
 * Removes the files of objects that store nothing: what was deleted, has expired, or was only ever asked for. Nothing may run
 * on the data directory meanwhile.
 * @returns how many objects that were.
 */
export async function removeEmptyObjects(dataDir: string): Promise<number> {
  let removed = 0;
  for (const kind of await entriesOf(join(dataDir, "do"))) {
    if (!kind.startsWith(`${WORKER_NAME}-`)) continue;
    const directory = join(dataDir, "do", kind);
    const databases = (await entriesOf(directory)).filter((name) => name.endsWith(DATABASE) && name !== METADATA);
    for (let from = 0; from < databases.length; from += AT_ONCE) {
      const paths = databases.slice(from, from + AT_ONCE).map((name) => join(directory, name));
      const outcomes = await Promise.all(paths.map(removeIfEmpty));
      removed += outcomes.filter(Boolean).length;
    }
  }
  return removed;
}

/** What a write-ahead log holds is not in the database yet. What cannot be looked at is left alone, since it may hold everything. */
async function removeIfEmpty(path: string): Promise<boolean> {
  const [database, log] = await Promise.all([bytesOf(path), bytesOf(`${path}-wal`)]);
  if (database === undefined || log === undefined || database > EMPTY_BYTES_MAX || log > 0) return false;
  if (database > 0 && (await pagesOf(path)) !== 1) return false;
  // The database last: without it, what is left of the others would be no object's.
  for (const name of [`${path}-shm`, `${path}-wal`, path]) await rm(name, { force: true });
  return true;
}

async function entriesOf(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

/** The pages that a database says it has; `undefined` when it cannot be read. More than there are: it was cut off. */
async function pagesOf(path: string): Promise<number | undefined> {
  try {
    const header = await readFile(path);
    return header.length < PAGES_AT + 4 ? undefined : header.readUInt32BE(PAGES_AT);
  } catch {
    return undefined;
  }
}

/** `undefined`: the file system does not say. A file that is not there has none. */
async function bytesOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT" ? 0 : undefined;
  }
}
