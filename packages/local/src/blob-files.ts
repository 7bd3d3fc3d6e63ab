/** Where Miniflare keeps what R2 and KV hold: a file for each value, and a database that says which file is whose. */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** By the folder of each service, what names the files of a value in its databases. */
export const BLOB_QUERIES: Readonly<Record<string, readonly string[]>> = {
  r2: ["SELECT blob_id FROM _mf_objects", "SELECT blob_id FROM _mf_multipart_parts"],
  kv: ["SELECT blob_id FROM _mf_entries"],
};

/** The folders of files, one for each bucket and namespace; those of no service that is not used yet. */
export function blobDirectories(dataDir: string, service: string): string[] {
  const root = join(dataDir, service);
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .map((name) => join(root, name, "blobs"))
    .filter((path) => existsSync(path));
}

/** A file that is being written has another name until all of it is there. */
export function isWholeBlob(name: string): boolean {
  return !name.startsWith(".");
}
