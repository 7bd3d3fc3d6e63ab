/** When a data directory was last written to. */

import { statSync } from "node:fs";

/**
 * The newest time of some databases' files, in ms since 1970; 0 if there are none. Nothing in them is from later, so a clock
 * that shows an earlier instant has been put back, or was not set when the machine started. Call it before they are opened.
 */
export function lastWrittenMs(databases: readonly string[]): number {
  const files = databases.flatMap((path) => [path, `${path}-wal`]);
  return Math.max(0, ...files.map((path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0));
}
