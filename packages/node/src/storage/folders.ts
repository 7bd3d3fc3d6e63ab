/** Directories whose names survive a power cut: a new name is durable only once the directory that has it is synced. */

import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";

/** Windows opens no directories, and makes their names durable by itself. */
const CAN_SYNC = process.platform !== "win32";

/**
 * Makes a directory that only its owner can enter, together with its missing parents, and makes their names durable. The
 * recursive option of Node.js loops forever on a file system that accepts no directories, such as /proc.
 */
export function makeDirectory(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  const parent = dirname(path);
  if (parent !== path) makeDirectory(parent);
  mkdirSync(path, { mode: 0o700 });
  syncDirectory(parent);
}

export function syncDirectory(path: string): void {
  if (!CAN_SYNC) return;
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Replaces a small file at once: after a power cut it has either its old text or the new one. */
export function writeDurably(path: string, text: string): void {
  const unfinished = `${path}.unfinished`;
  writeFileSync(unfinished, text, { mode: 0o600, flush: true });
  renameSync(unfinished, path);
  syncDirectory(dirname(path));
}

/** Like `syncDirectory`, without blocking the event loop. Does nothing if the directory does not exist. */
export async function syncDirectoryLater(path: string): Promise<void> {
  if (!CAN_SYNC) return;
  const directory = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (directory === undefined) return;
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
