import assert from "node:assert/strict";

import { AppendWorld, randomOf, type Fate } from "../worlds/append-world.ts";
import { SimClock } from "../worlds/sim-clock.ts";
import { installSimCrypto } from "../worlds/sim-crypto.ts";
import { scenarioOf, type Outcome } from "./scenario.ts";
import { weightedSteps, type WeightedStep } from "./weighted-steps.ts";

const WEIGHTS = { append: 250, wait: 250, fire: 5, crash: 1 } as const;
type Kind = keyof typeof WEIGHTS;

const ISOLATES = 8;
/** More than any timer of the edge, one alarm a second. */
const REST_SECONDS = 60;

const LOSSES: readonly Fate[] = ["request lost", "answer lost", "late"];

/** One call in five is lost, or comes late. */
export function fateOf(random: () => number): Fate {
  return random() < 0.8 ? "arrives" : (LOSSES[Math.floor(random() * LOSSES.length)] ?? "arrives");
}

/** No append is stored twice, and none that was refused is stored, while the network and the object fail. A step takes 1 ms. */
async function appendAtMostOnce(
  plan: readonly WeightedStep<Kind>[],
  onStep: (nth: number) => void,
  seed: number,
): Promise<Outcome> {
  const random = randomOf(seed);
  const limits = { pendingAppendsMax: 12, segmentBytes: 4_096, segmentBytesMin: 1 };
  const restore = installSimCrypto();
  try {
    const commitMs = (): number => 5 + random() * 60;
    const world = new AppendWorld({ isolates: ISOLATES, seed, commitMs, fate: fateOf, limits });
    await world.create();
    for (const [nth, { kind, a }] of plan.entries()) {
      onStep(nth);
      if (kind === "append") void world.append(a % ISOLATES);
      if (kind === "crash") world.crash();
      if (kind === "fire") void world.fireAlarmWhenDue();
      await world.clock.advance(1);
    }
    for (let second = 0; second < REST_SECONDS; second += 1) {
      void world.fireAlarmWhenDue();
      await world.clock.advance(1_000);
    }
    const { twice, lost, refusedButStored, ...counts } = world.verdict();
    assert.deepEqual({ twice, lost, refusedButStored }, { twice: 0, lost: 0, refusedButStored: 0 });
    assert.deepEqual(world.faults, []);
    return { ...counts, segments: world.segmentCount };
  } finally {
    SimClock.uninstall();
    restore();
  }
}

export const APPENDS = scenarioOf({
  name: "appends",
  about:
    "appends of many isolates to one stream, while calls are lost and the object crashes: stored once or not at all",
  steps: 3_000,
  stepsOf: (seed, steps) => weightedSteps(WEIGHTS, seed, steps),
  run: appendAtMostOnce,
});
