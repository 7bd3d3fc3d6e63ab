/** Detects damaged SQLite databases, and removes those of a stream. */

import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { WORKER_NAME } from "./worker-name.ts";

const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/**
 * Whether a file is a damaged database.
 * @param check the SQL statement that is tried; by default, the cheapest that reads the database.
 */
export function isDamaged(path: string, check = "SELECT count(*) FROM sqlite_schema"): boolean {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    const [row] = database.prepare(check).all();
    return check === THOROUGH && Object.values(row ?? {})[0] !== "ok";
  } catch (error) {
    const code = error instanceof Error && "errcode" in error ? error.errcode : undefined;
    return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
  } finally {
    database?.close();
  }
}

/** Reads all of it. */
const THOROUGH = "PRAGMA integrity_check(1)";

/**
 * Removes the files of a stream's object if its database is damaged. Only for an object that workerd could not start because of
 * the damage, so that workerd has none of the files open.
 * @param id workerd's id of the object.
 * @returns whether the database was damaged and has been removed.
 */
export function removeDamagedStream(dataDir: string, id: string): boolean {
  if (!/^[0-9a-f]{64}$/.test(id)) return false;
  const path = join(dataDir, "do", `${WORKER_NAME}-StreamDO`, `${id}.sqlite`);
  if (!existsSync(path) || !isDamaged(path, THOROUGH)) return false;
  // The database goes last: without it, the other files could no longer be assigned to an object.
  for (const name of [`${path}-shm`, `${path}-wal`, path]) rmSync(name, { force: true });
  return true;
}
