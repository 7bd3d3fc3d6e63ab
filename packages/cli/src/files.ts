import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Writes so that a crash leaves either the old file or the new one. @param mode the file's mode; default: the process's. */
export function writeAtomically(path: string, text: string, mode?: number): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.new`;
  writeFileSync(temporary, text, mode === undefined ? {} : { mode });
  renameSync(temporary, path);
}
