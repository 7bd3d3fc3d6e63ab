import assert from "node:assert/strict";

import { FakeSegmentStore } from "@durable-streams-cloudflare/testkit/node-host";
import fc from "fast-check";

import { StreamDriver } from "../drivers/stream-driver.ts";
import { runSteps } from "../model/run-steps.ts";
import { chainSteps, lifeStep, type Step } from "../model/steps.ts";
import { installSimCrypto } from "../worlds/sim-crypto.ts";
import { expectExactCounts, expectNothingAfterDeletingAll } from "../worlds/stream-rules.ts";
import { StreamWorld } from "../worlds/stream-world.ts";
import { countCalls, scenarioOf, type Outcome } from "./scenario.ts";

type OnStep = (nth: number) => void;

/** Longer than anything waits: pending releases, uploads that arrive late, a second look for pending deletions. */
const QUIET_MS = 600_000;
/** Segments of a few appends. */
export const TINY_SEGMENTS = { segmentBytes: 12, segmentBytesMin: 1, segmentAgeSeconds: 30 };

/** Streams and forks do as the reference model does, count their forks exactly, and leave nothing. */
export async function liveAsTheModel(plan: readonly Step[], onStep?: OnStep): Promise<Outcome> {
  const driver = new StreamDriver();
  const outcomes = await runSteps(driver, plan, driver.startMs, onStep);
  expectExactCounts(driver.world);
  await expectNothingAfterDeletingAll(driver.world);
  return { ...Object.fromEntries(outcomes), ...countCalls(driver.world.calls) };
}

/** The same while their older part goes to cold segments, of which nothing is left, either. */
export async function rollAsTheModel(plan: readonly Step[], onStep?: OnStep): Promise<Outcome> {
  const restore = installSimCrypto();
  try {
    const segments = new FakeSegmentStore();
    const driver = new StreamDriver(new StreamWorld({ segments, ...TINY_SEGMENTS }));
    const outcomes = await runSteps(driver, plan, driver.startMs, onStep);
    await driver.world.fireAllAlarms(driver.world.nowMs + QUIET_MS);
    expectExactCounts(driver.world);
    await expectNothingAfterDeletingAll(driver.world);
    assert.deepEqual([...segments.objects.keys()], []);
    return { ...Object.fromEntries(outcomes), ...countCalls(driver.world.calls) };
  } finally {
    restore();
  }
}

const CHAIN_DEPTH = 100;

export const STREAMS = scenarioOf({
  name: "streams",
  about: "streams and forks against the reference model: restarts, expiry, crashes between any two steps",
  steps: 60,
  stepsOf: lifeSteps,
  run: liveAsTheModel,
});

export const ROLLING_STREAMS = scenarioOf({
  name: "rolling-streams",
  about: "the same while the older part of each stream goes to cold segments",
  steps: 60,
  stepsOf: lifeSteps,
  run: rollAsTheModel,
});

export const FORK_CHAINS = scenarioOf({
  name: "fork-chains",
  about: `chains of ${CHAIN_DEPTH} forks against the reference model`,
  steps: 240,
  stepsOf: (seed, steps) => (fc.sample(chainSteps(CHAIN_DEPTH), { seed, numRuns: 1 })[0] ?? []).slice(0, steps),
  run: liveAsTheModel,
});

/** The first makes a stream. */
function lifeSteps(seed: number, steps: number): readonly Step[] {
  const first: Step = { name: "a", kind: "create", mode: "bytes", ttlSeconds: undefined, closed: false };
  return [first, ...fc.sample(lifeStep, { seed, numRuns: Math.max(1, steps - 1) })].slice(0, steps);
}
