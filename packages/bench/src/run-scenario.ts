/** Runs a scenario: starts its targets, measures within its budget, and stops them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import type { Arguments } from "./arguments.ts";
import { startLoadDriver } from "./load/driver.ts";
import type { RunningTarget, Scenario, Section } from "./scenarios/scenario.ts";
import type { Target, TargetKind } from "./targets/target.ts";

/** The warm-up before measurements of a given length. Otherwise, the warm-up is a part of the available time. */
const WARM_UP_MS = 1_000;
const WARM_UP_PART = 1 / 4;
const WINDOW_MS_MIN = 300;
/** A scenario is considered hung after this many times its budget plus a constant. */
const HANGING_FACTOR = 4;
const HANGING_MS = 60_000;

/**
 * @param share the part of the scenario's budget that is available, at most 1.
 * @throws Error when the scenario takes much longer than its budget.
 */
export async function runScenario(scenario: Scenario, args: Arguments, share: number): Promise<readonly Section[]> {
  const directory = mkdtempSync(join(tmpdir(), "bench-"));
  const driver = startLoadDriver();
  const started: Target[] = [];
  try {
    const own = scenario.targets.filter(({ isExtra }) => !args.isQuick || isExtra !== true);
    const kinds = own.flatMap((kind) => [kind, ...besideOf(kind, args.beside)]);
    const starts = await Promise.allSettled(
      kinds.map(async (kind) => {
        const dataDir = mkdtempSync(join(directory, "target-"));
        const target = await kind.start(dataDir);
        started.push(target);
        return running(kind, target, dataDir);
      }),
    );
    const targets = starts.map((start) => {
      if (start.status === "rejected") throw start.reason;
      return start.value;
    });
    if (args.url !== undefined && scenario.isForAnyServer === true) targets.push(elsewhere(args.url, args.headers));
    const { rounds, followers, isQuick } = args;
    const times = timesOf(scenario, args, share, targets.length);
    const context = { driver, targets, rounds, followers, isQuick, ...times };
    return await Promise.race([scenario.run(context), hanging(scenario, args)]);
  } finally {
    driver.stop();
    await Promise.all(started.map((target) => target.stop()));
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The same target of another checkout. */
function besideOf({ inCheckout }: TargetKind, root: string | undefined): TargetKind[] {
  return root === undefined || inCheckout === undefined ? [] : [inCheckout(root)];
}

function running(kind: TargetKind, target: Target, dataDir: string): RunningTarget {
  const { url } = target;
  return { kind, url, streams: `${url}/v1/stream/`, headers: {}, dataDir, pids: () => target.pids() };
}

/** Another server. The names of the streams are unique to this run. */
function elsewhere(url: string, headers: Arguments["headers"]): RunningTarget {
  const run = crypto.randomUUID().slice(0, 8);
  const kind: TargetKind = {
    name: new URL(url).host,
    start: () => Promise.reject(new Error("The server is already running.")),
  };
  return { kind, url: new URL(url).origin, streams: `${url}bench-${run}-`, headers, dataDir: "", pids: () => [] };
}

type Times = { readonly warmUpMs: number; readonly measureMs: number };

function timesOf({ budget }: Scenario, args: Arguments, share: number, targets: number): Times {
  if (args.seconds !== undefined) return { warmUpMs: WARM_UP_MS, measureMs: args.seconds * 1_000 };
  const { measurements, quickMeasurements = measurements } = budget;
  const windows = args.rounds * (args.isQuick ? quickMeasurements : measurements) * Math.max(1, targets);
  const windowMs = Math.max(
    WINDOW_MS_MIN,
    (1_000 * (share * secondsOf(budget, args) - preparationOf(budget, args))) / windows,
  );
  return { warmUpMs: windowMs * WARM_UP_PART, measureMs: windowMs * (1 - WARM_UP_PART) };
}

function preparationOf({ preparation, quickPreparation }: Scenario["budget"], { isQuick }: Arguments): number {
  return isQuick ? (quickPreparation ?? preparation) : preparation;
}

/** How long a scenario may take. One that runs only when named may take as long as its preparation. */
export function secondsOf({ full, quick, preparation }: Scenario["budget"], { isQuick }: Arguments): number {
  return (isQuick ? quick : full) ?? full ?? preparation;
}

async function hanging({ budget }: Scenario, args: Arguments): Promise<never> {
  const measuredMs = (args.seconds ?? 0) * args.rounds * 1_000 * 20;
  const limitMs = HANGING_FACTOR * (1_000 * secondsOf(budget, args) + measuredMs) + HANGING_MS;
  await delay(limitMs, undefined, { ref: false });
  throw new Error(`The scenario took more than ${Math.round(limitMs / 1_000)} s.`);
}
