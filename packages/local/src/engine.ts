/** The two engines on one machine, and which of them a data directory belongs to. */

import { existsSync } from "node:fs";
import { join } from "node:path";

import { Failure } from "./failure.ts";

export const ENGINES = ["node", "workerd"] as const;
export type Engine = (typeof ENGINES)[number];

/** What each engine leaves in its data directory. */
const MARKS: Readonly<Record<Engine, string>> = { node: "streams.sqlite", workerd: "do" };

/** @throws Failure where the data in the directory was written by the other engine, which keeps it in other files. */
export function claimEngine(dataDir: string, engine: Engine): void {
  const other = ENGINES.find((name) => name !== engine && existsSync(join(dataDir, MARKS[name])));
  if (other === undefined || existsSync(join(dataDir, MARKS[engine]))) return;
  throw new Failure(
    `The data in ${dataDir} belongs to the engine "${other}", and this is the engine "${engine}".`,
    `start it with --engine ${other}, or use another directory: --data-dir DIR`,
  );
}
