import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** A crash leaves the old file or the new one. @param mode of the file; what the process makes otherwise. */
export function writeAtomically(path: string, text: string, mode?: number): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.new`;
  writeFileSync(temporary, text, mode === undefined ? {} : { mode });
  renameSync(temporary, path);
}
