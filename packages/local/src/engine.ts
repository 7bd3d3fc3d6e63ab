/** The two engines on one machine, and which of them a data directory belongs to. */

import { existsSync } from "node:fs";
import { join } from "node:path";

import { Failure } from "./failure.ts";

export const ENGINES = ["node", "workerd"] as const;
/** The program that runs the server on one machine. */
export type Engine = (typeof ENGINES)[number];

export const ENGINE_DEFAULT: Engine = "node";

interface EngineFiles {
  /** What the engine leaves in its data directory as soon as it stores something. */
  readonly mark: string;
  /** What to do with a directory of this engine that the other one was started on, besides going on with this engine. */
  readonly otherwise: string;
}

const FILES: Readonly<Record<Engine, EngineFiles>> = {
  node: { mark: "streams.sqlite", otherwise: "" },
  workerd: {
    mark: "do",
    otherwise:
      "; or take it over, which keeps all streams and offsets: durable-streams takeover --data-dir DIR " +
      "(in a clone: npm run cli -- takeover --data-dir DIR)",
  },
};

/**
 * Checks that a data directory belongs to this engine.
 * @throws Failure if the other engine, which uses other files, has written the data in the directory.
 */
export function claimEngine(dataDir: string, engine: Engine): void {
  const holds = (name: Engine): boolean => existsSync(join(dataDir, FILES[name].mark));
  const other = ENGINES.find((name) => name !== engine && holds(name));
  if (other === undefined || holds(engine)) return;
  const byDefault = engine === ENGINE_DEFAULT ? ", which is the default" : "";
  throw new Failure(
    `The data in ${dataDir} belongs to the engine "${other}", and this is the engine "${engine}"${byDefault}. Nothing was changed.`,
    `start it with --engine ${other}${FILES[other].otherwise}; or use another directory: --data-dir DIR`,
  );
}
