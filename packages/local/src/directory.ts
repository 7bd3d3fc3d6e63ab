import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** The directory holds the secrets of all projects, so only this user may access it. */
const MODE = 0o700;
const OTHERS = 0o077;

/**
 * Makes a directory that only this user can enter, together with its missing parents. The recursive option of Node.js loops
 * forever on a file system that accepts no directories, such as /proc.
 * @throws Error of the file system.
 */
export function makePrivateDirectory(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  const parent = dirname(path);
  if (parent !== path) makePrivateDirectory(parent);
  mkdirSync(path, { mode: MODE });
}

/** Empty unless other users of this machine can enter the directory. On Windows, the mode of a file does not tell. */
export function formatOpenDirectoryWarning(path: string, platform: NodeJS.Platform = process.platform): string {
  const { mode } = statSync(path);
  if ((mode & OTHERS) === 0 || platform === "win32") return "";
  return (
    `! Other users of this machine can read ${path}, which holds all data and the secrets of all projects.\n` +
    `  Fix: chmod 700 '${path}'\n`
  );
}
