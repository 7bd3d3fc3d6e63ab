import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";

/** The hash of each file, by its path relative to a root. Empty for a missing file, so that its creation is noticed. */
export type Fingerprint = Readonly<Record<string, string>>;

/**
 * Hashes files.
 * @param paths relative to `root`.
 */
export function fingerprint(root: string, paths: readonly string[]): Fingerprint {
  return Object.fromEntries(paths.map((path) => [path, hashOf(resolve(root, path))]));
}

/** Whether all files still have the hashes of an earlier fingerprint. */
export function isCurrent(root: string, known: Fingerprint): boolean {
  return Object.entries(known).every(([path, hash]) => hashOf(resolve(root, path)) === hash);
}

/** Whether any of the files was modified after a time. */
export function haveChangedSince(root: string, paths: readonly string[], timeMs: number): boolean {
  return paths.some((path) => {
    const stats = statSync(resolve(root, path), { throwIfNoEntry: false });
    return stats !== undefined && stats.mtimeMs >= timeMs;
  });
}

function hashOf(path: string): string {
  try {
    return createHash("sha256").update(readFileSync(path)).digest("hex");
  } catch {
    return "";
  }
}
