/** Where Miniflare keeps the values of R2 and KV: one file per value, and a database that says which file is which value. */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** The SQL queries that list the blob ids to which a service's databases refer, by the service's folder. */
export const BLOB_QUERIES: Readonly<Record<string, readonly string[]>> = {
  r2: ["SELECT blob_id FROM _mf_objects", "SELECT blob_id FROM _mf_multipart_parts"],
  kv: ["SELECT blob_id FROM _mf_entries"],
};

/** The folders that hold the files, one for each bucket or namespace. Empty for a service that was never used. */
export function blobDirectories(dataDir: string, service: string): string[] {
  const root = join(dataDir, service);
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .map((name) => join(root, name, "blobs"))
    .filter((path) => existsSync(path));
}

/** Whether the file is complete: one that is still being written has a name that begins with a dot. */
export function isWholeBlob(name: string): boolean {
  return !name.startsWith(".");
}
