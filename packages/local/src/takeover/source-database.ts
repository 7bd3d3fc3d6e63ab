/** Reads databases of a stopped workerd without changing a byte in them. */

import { copyFileSync, mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";

import type { Engine } from "@durable-streams-cloudflare/core/kit/sql/engine";
import { ObjectTables } from "@durable-streams-cloudflare/core/kit/sql/object-tables";
import type { Schema } from "@durable-streams-cloudflare/core/kit/sql/schema";

import { Failure } from "../failure.ts";

const SQLITE_READONLY = 8;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/**
 * Passes a database to `work` that has the tables of this version: the file itself, unless its journal has not been read back,
 * or an older version has written it. Then it is a copy, which is removed afterwards.
 * @param workDir a folder for the copy.
 * @param schema of the object; without it, the tables stay as they are.
 * @param work gets the location: a path or a `file:` URL.
 * @throws Failure if the file is damaged, or a newer server has written it.
 */
export function withSource<T>(
  path: string,
  { workDir, schema }: { readonly workDir: string; readonly schema?: Schema },
  work: (location: string) => T,
): T {
  try {
    const url = pathToFileURL(path);
    url.searchParams.set("immutable", "1");
    if (sizeOf(`${path}-wal`) === 0 && isCurrent(url.href, schema)) return work(url.href);
    return withCopy(path, workDir, (copy) => {
      using database = new DatabaseSync(copy);
      if (schema !== undefined) upgrade(database, schema);
      database.close();
      return work(copy);
    });
  } catch (error) {
    throw failureOf(path, error);
  }
}

/** Passes the opened database to `work`. */
export function withRows<T>(location: string, work: (database: DatabaseSync) => T): T {
  using database = new DatabaseSync(location, { readOnly: true });
  return work(database);
}

/** A database that cannot be written cannot be brought up to date either. */
function isCurrent(location: string, schema: Schema | undefined): boolean {
  if (schema === undefined) return true;
  try {
    withRows(location, (database) => upgrade(database, schema));
    return true;
  } catch (error) {
    if (codeOf(error) === SQLITE_READONLY) return false;
    throw error;
  }
}

function upgrade(database: DatabaseSync, schema: Schema): void {
  const engine: Engine = {
    exec: (text, ...params) => database.prepare(text).all(...(params as string[])) as never[],
    transaction: (work) => {
      database.exec("BEGIN");
      try {
        const result = work();
        database.exec("COMMIT");
        return result;
      } catch (error) {
        database.exec("ROLLBACK");
        throw error;
      }
    },
  };
  new ObjectTables(engine, schema).upgrade();
}

function withCopy<T>(path: string, workDir: string, work: (copy: string) => T): T {
  mkdirSync(workDir, { recursive: true, mode: 0o700 });
  const copy = join(workDir, "copy.sqlite");
  const files = ["", "-wal"].map((suffix) => ({ from: path + suffix, to: copy + suffix }));
  try {
    for (const { from, to } of files) if (sizeOf(from) > 0) copyFileSync(from, to);
    return work(copy);
  } finally {
    for (const suffix of ["", "-wal", "-shm"]) rmSync(copy + suffix, { force: true });
  }
}

function failureOf(path: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB) {
    return new Failure(
      `${path} is damaged.`,
      "restore a backup of the directory; or leave the stream behind: move away this file and all files whose names begin " +
        "with its name, and run the command again",
    );
  }
  const isNewer = error instanceof Error && error.message.includes("supports at most");
  return isNewer ? new Failure(`${path}: ${error.message}`, "use the newest version of durable-streams") : error;
}

function codeOf(error: unknown): number | undefined {
  return error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : undefined;
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
