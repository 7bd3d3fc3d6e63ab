/** workerd's own databases: when each object is to be woken. A damaged one keeps workerd from starting. */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { Failure } from "./failure.ts";

const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/** @throws Failure that names a damaged file, and what to do about it. */
export function checkAlarmFiles(dataDir: string): void {
  for (const path of alarmFiles(join(dataDir, "do"))) {
    if (!isDamaged(path)) continue;
    throw new Failure(
      `${path} is damaged. It holds no streams, only when each of them is to be woken.`,
      "restore the data directory from a backup. Without one, move this file away, with those that begin with its name: " +
        "no message is lost, but streams that nobody uses expire late, and what is to be delivered waits until they are used",
    );
  }
}

/** One beside the objects of each class. */
function alarmFiles(directory: string): string[] {
  if (!existsSync(directory)) return []; // A new data directory.
  return readdirSync(directory)
    .map((name) => join(directory, name, "metadata.sqlite"))
    .filter((path) => existsSync(path));
}

function isDamaged(path: string): boolean {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    database.exec("SELECT count(*) FROM sqlite_schema");
    return false;
  } catch (error) {
    const code = error instanceof Error && "errcode" in error ? error.errcode : undefined;
    return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
  } finally {
    database?.close();
  }
}
