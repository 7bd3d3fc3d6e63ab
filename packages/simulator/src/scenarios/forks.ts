import assert from "node:assert/strict";

import { FakeSegmentStore } from "@durable-streams-cloudflare/testkit/node-host";
import fc from "fast-check";

import { FIRST_STEPS, forkStep, ForkRun, type ForkStep } from "../drivers/fork-steps.ts";
import { installSimCrypto } from "../worlds/sim-crypto.ts";
import { expectExactCounts, expectNothingAfterDeletingAll, expectWholeContents } from "../worlds/stream-rules.ts";
import { StreamWorld } from "../worlds/stream-world.ts";
import { countCalls, scenarioOf, type Outcome } from "./scenario.ts";
import { TINY_SEGMENTS } from "./streams.ts";

type OnStep = (nth: number) => void;

/** Longer than any pending release waits, shorter than what expires. */
const QUIET_MS = 90_000;
/** The same of uploads that arrive late, and of a second look for pending deletions. */
const COLD_QUIET_MS = 600_000;

/** Forks keep every byte and leave none, whatever crashes, is lost or comes late between their objects. */
export async function keepEveryByte(plan: readonly ForkStep[], onStep?: OnStep): Promise<ForkRun> {
  const run = new ForkRun();
  await takeAll(run, plan, QUIET_MS, onStep);
  await expectNothingAfterDeletingAll(run.world);
  return run;
}

/** The same of streams whose older part goes to cold segments, of which nothing is left, either. */
export async function keepEveryColdByte(plan: readonly ForkStep[], onStep?: OnStep): Promise<Outcome> {
  const restore = installSimCrypto();
  try {
    const segments = new FakeSegmentStore();
    const run = new ForkRun(new StreamWorld({ segments, ...TINY_SEGMENTS }));
    const { world } = run;
    await takeAll(run, plan, COLD_QUIET_MS, onStep);
    const rolled = segments.objects.size;
    const lostUploads = world.keys.flatMap((name) => world.host(name).reports).length;
    const collected = world.calls.filter(({ method }) => method === "delete").length;
    await expectNothingAfterDeletingAll(world);
    assert.deepEqual([...segments.objects.keys()], []);
    return { ...outcomeOf(run), rolled, lostUploads, collected };
  } finally {
    restore();
  }
}

async function takeAll(run: ForkRun, plan: readonly ForkStep[], quietMs: number, onStep?: OnStep): Promise<void> {
  const { world } = run;
  for (const [nth, step] of plan.entries()) {
    onStep?.(nth);
    await run.take(step);
    expectWholeContents(world);
  }
  await run.finish();
  expectWholeContents(world);
  await world.fireAllAlarms(world.nowMs + quietMs);
  expectWholeContents(world);
  expectExactCounts(world);
}

function outcomeOf({ outcomes, world }: ForkRun): Outcome {
  return { ...Object.fromEntries(outcomes), ...countCalls(world.calls) };
}

export const FORKS = scenarioOf({
  name: "forks",
  about: "forks keep every byte and leave none, whatever crashes, is lost or comes late between their objects",
  steps: 80,
  stepsOf: stepsOf,
  run: async (plan, onStep) => outcomeOf(await keepEveryByte(plan, onStep)),
});

export const ROLLING_FORKS = scenarioOf({
  name: "rolling-forks",
  about: "the same while the older part of each stream goes to cold segments",
  steps: 80,
  stepsOf: stepsOf,
  run: keepEveryColdByte,
});

function stepsOf(seed: number, steps: number): readonly ForkStep[] {
  return [...FIRST_STEPS, ...fc.sample(forkStep, { seed, numRuns: steps })].slice(0, steps);
}
