import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** Of a directory that holds the secrets of all projects. */
const MODE = 0o700;
const OTHERS = 0o077;

/**
 * Makes a directory that only this user can enter, and those above it that are missing. Node.js's own recursive way tries
 * for ever where a file system takes no directories, such as /proc.
 * @throws Error of the file system.
 */
export function makePrivateDirectory(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  const parent = dirname(path);
  if (parent !== path) makePrivateDirectory(parent);
  mkdirSync(path, { mode: MODE });
}

/** Empty unless other users of this machine may enter a directory. */
export function formatOpenDirectoryWarning(path: string): string {
  const { mode } = statSync(path);
  if ((mode & OTHERS) === 0) return "";
  return (
    `! Other users of this machine may read ${path}: all data, and the secrets of all projects.\n` +
    `  Fix: chmod 700 '${path}'\n`
  );
}
