/** Removes the files of R2 and KV values that no database knows: an upload that was cut off, or a crash before a removal. */

import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { blobDirectories, BLOB_QUERIES } from "./blob-files.ts";

/**
 * To be called while no workerd runs: an upload under way would look like one that was cut off.
 * @returns how many were removed; none where not every database can be read.
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

/** `undefined`: it cannot be said, so all files may belong to something. */
function knownBlobs(serviceDir: string, queries: readonly string[]): ReadonlySet<string> | undefined {
  const paths = databasesOf(serviceDir);
  if (paths.length === 0) return undefined;
  const known = new Set<string>();
  for (const path of paths) {
    try {
      for (const name of readBlobs(path, queries)) known.add(name);
    } catch {
      return undefined; // Damaged, or laid out in another way.
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
