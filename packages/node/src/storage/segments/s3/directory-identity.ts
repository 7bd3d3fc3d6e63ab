/** Tells a data directory from its copies. */

import { createHash, randomUUID } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { writeDurably } from "../../folders.ts";

/** In the data directory. Backups leave it out. */
const IDENTITY = "directory-identity";
const CHARS = 16;

/**
 * Returns what no copy of this directory has: a copied file has another number in its file system, and another time of birth.
 * The directory keeps its identity when it is renamed, and when its file system is mounted elsewhere.
 */
export function identityOf(dataDir: string): string {
  const path = join(dataDir, IDENTITY);
  if (!existsSync(path)) writeDurably(path, `${randomUUID()}\n`);
  const { ino, birthtimeNs } = statSync(path, { bigint: true });
  const parts = [readFileSync(path, "utf8").trim(), ino, birthtimeNs];
  return createHash("sha256").update(parts.join(" ")).digest("hex").slice(0, CHARS);
}
