import { parseArgs } from "node:util";

import type { Scenario } from "../scenarios/scenario.ts";

export interface Request {
  readonly scenarios: readonly Scenario[];
  /** Of the first run; each run after it has the next one. */
  readonly seed: number;
  readonly runs: number;
  /** `undefined`: as many as is usual for the scenario. */
  readonly steps: number | undefined;
}

/** Says what is wrong with the flags, and what they may be. */
export class UsageError extends Error {}

const SEED_MAX = 2 ** 31 - 1;

/**
 * @param pickSeed is asked when there is no `--seed`.
 * @returns `undefined` when help is asked for.
 * @throws UsageError
 */
export function parseArguments(
  args: readonly string[],
  all: readonly Scenario[],
  pickSeed: () => number,
): Request | undefined {
  const { world = "all", seed, steps, runs, help } = readFlags(args);
  if (help === true) return undefined;
  const scenarios = world === "all" ? all : all.filter(({ name }) => name === world);
  if (scenarios.length === 0) {
    throw new UsageError(`There is no world ${world}. Worlds: all, ${all.map(({ name }) => name).join(", ")}.`);
  }
  return {
    scenarios,
    seed: seed === undefined ? pickSeed() % SEED_MAX : wholeNumber("seed", seed, 0),
    runs: runs === undefined ? 1 : wholeNumber("runs", runs, 1),
    steps: steps === undefined ? undefined : wholeNumber("steps", steps, 1),
  };
}

export function helpText(all: readonly Scenario[]): string {
  const width = Math.max(...all.map(({ name }) => name.length));
  return `Runs the engine in simulated worlds, where the clock, the network and every crash follow from a seed.

  npm run simulate -- [--seed N] [--steps M] [--runs R] [--world NAME|all]

  --seed N      the seed of the first run (default: a random one); each further run takes the next number
  --steps M     how many steps a run has (default: what is usual for the world)
  --runs R      how many runs of each world (default: 1)
  --world NAME  which world to run (default: all)
  --help        show this text

Worlds:
${all.map(({ name, about, steps }) => `  ${name.padEnd(width)}  ${about} (${steps} steps)`).join("\n")}

The same seed and number of steps give the same run. A failure ends with exit code 1 and the command that repeats it.`;
}

interface Flags {
  readonly world?: string | undefined;
  readonly seed?: string | undefined;
  readonly steps?: string | undefined;
  readonly runs?: string | undefined;
  readonly help?: boolean | undefined;
}

function readFlags(args: readonly string[]): Flags {
  try {
    const text = { type: "string" } as const;
    const options = {
      world: text,
      seed: text,
      steps: text,
      runs: text,
      help: { type: "boolean", short: "h" },
    } as const;
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function wholeNumber(name: string, text: string, min: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= SEED_MAX) return value;
  throw new UsageError(`--${name} takes a whole number from ${min} to ${SEED_MAX}, not ${text}.`);
}
