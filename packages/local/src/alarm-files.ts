/** workerd's own databases, which hold the objects' alarms. A damaged one prevents workerd from starting. */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { isDamaged } from "./damaged-objects.ts";
import { Failure } from "./failure.ts";

/** @throws Failure that names a damaged file, and what to do about it. */
export function checkAlarmFiles(dataDir: string): void {
  for (const path of alarmFiles(join(dataDir, "do"))) {
    if (!isDamaged(path)) continue;
    throw new Failure(
      `${path} is damaged. It holds the alarms of the streams, not their data.`,
      "restore the data directory from a backup; without one, move away this file and all files whose names begin with its " +
        "name: no message is lost, but unused streams expire late, and their pending deliveries wait until they are used",
    );
  }
}

/** There is one beside the objects of each class. */
function alarmFiles(directory: string): string[] {
  if (!existsSync(directory)) return []; // A new data directory.
  return readdirSync(directory)
    .map((name) => join(directory, name, "metadata.sqlite"))
    .filter((path) => existsSync(path));
}
