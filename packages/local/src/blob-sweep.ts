/** Removes files of R2 and KV that no database refers to: left by an interrupted upload, or by a crash during a removal. */

import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { blobDirectories, BLOB_QUERIES } from "./blob-files.ts";

/**
 * Must only be called while no workerd runs: an upload in progress would look like an interrupted one.
 * @returns how many files were removed; none if any database cannot be read.
 */
export function sweepBlobs(dataDir: string): number {
  let removed = 0;
  for (const [service, queries] of Object.entries(BLOB_QUERIES)) {
    const directories = blobDirectories(dataDir, service);
    if (directories.length === 0) continue;
    const known = knownBlobs(join(dataDir, service), queries);
    if (known === undefined) continue;
    for (const directory of directories) {
      for (const name of readdirSync(directory)) {
        if (known.has(name)) continue;
        rmSync(join(directory, name), { force: true });
        removed += 1;
      }
    }
  }
  return removed;
}

/** `undefined` if a database cannot be read: then every file may still be referred to. */
function knownBlobs(serviceDir: string, queries: readonly string[]): ReadonlySet<string> | undefined {
  const paths = databasesOf(serviceDir);
  if (paths.length === 0) return undefined;
  const known = new Set<string>();
  for (const path of paths) {
    try {
      for (const name of readBlobs(path, queries)) known.add(name);
    } catch {
      return undefined; // Damaged, or with another layout.
    }
  }
  return known;
}

function databasesOf(serviceDir: string): string[] {
  return readdirSync(serviceDir)
    .filter((name) => name.startsWith("miniflare-"))
    .map((name) => join(serviceDir, name))
    .filter((directory) => existsSync(directory))
    .flatMap((directory) =>
      readdirSync(directory)
        .filter((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite")
        .map((name) => join(directory, name)),
    );
}

function readBlobs(path: string, queries: readonly string[]): string[] {
  const database = new DatabaseSync(path);
  try {
    return queries.flatMap((sql) =>
      database
        .prepare(sql)
        .all()
        .flatMap(({ blob_id: id }) => (typeof id === "string" ? [id] : [])),
    );
  } finally {
    database.close();
  }
}
