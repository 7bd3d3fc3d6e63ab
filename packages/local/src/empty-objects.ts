import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { WORKER_NAME } from "./worker-name.ts";

/** Size of an SQLite page. A database with a table has at least two pages, so one with a single page is empty. */
const EMPTY_BYTES_MAX = 4096;
/** Position of the page count in the header of an SQLite database. */
const PAGES_AT = 28;
const DATABASE = ".sqlite";
/** Where Miniflare keeps the alarms of all objects of a kind. */
const METADATA = `metadata${DATABASE}`;
/** How many files are examined at the same time. */
const AT_ONCE = 64;

/**
 * Removes the files of objects that store nothing, because they were deleted, have expired, or were only ever read. Must only
 * be called while no workerd runs on the data directory.
 * @returns how many objects were removed.
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

/** Data in the write-ahead log is not in the database yet. A file that cannot be examined is kept: it may hold data. */
async function removeIfEmpty(path: string): Promise<boolean> {
  const [database, log] = await Promise.all([bytesOf(path), bytesOf(`${path}-wal`)]);
  if (database === undefined || log === undefined || database > EMPTY_BYTES_MAX || log > 0) return false;
  if (database > 0 && (await pagesOf(path)) !== 1) return false;
  // Removes the database last: without it, remaining files could no longer be assigned to an object.
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

/** The page count in a database's header; `undefined` when it cannot be read. A truncated file has fewer pages than that. */
async function pagesOf(path: string): Promise<number | undefined> {
  try {
    const header = await readFile(path);
    return header.length < PAGES_AT + 4 ? undefined : header.readUInt32BE(PAGES_AT);
  } catch {
    return undefined;
  }
}

/** `undefined` if the file system reports an error. A missing file has 0 bytes. */
async function bytesOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT" ? 0 : undefined;
  }
}
