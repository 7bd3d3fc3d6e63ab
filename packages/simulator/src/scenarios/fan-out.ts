import assert from "node:assert/strict";

import { FanOutDriver } from "../drivers/fan-out-driver.ts";
import { countCalls, scenarioOf, type Outcome, type Scenario } from "./scenario.ts";
import { weightedSteps, type WeightedStep } from "./weighted-steps.ts";

const WEIGHTS = { publish: 3, toggle: 1, renew: 1, crash: 1, fire: 1, retry: 1, queue: 1, release: 18 } as const;
type Kind = keyof typeof WEIGHTS;

const LATE_ALARM_MS = 100_000;

export function fanOutSteps(seed: number, steps: number): readonly WeightedStep<Kind>[] {
  return weightedSteps(WEIGHTS, seed, steps);
}

/** Every session holds exactly what was published while it was subscribed, in order, whatever crashes or gets lost. */
export async function deliverExactlyOnce(
  driver: FanOutDriver,
  plan: readonly WeightedStep<Kind>[],
  onStep?: (nth: number) => void,
): Promise<Outcome> {
  await driver.begin();
  for (const [nth, step] of plan.entries()) {
    onStep?.(nth);
    await take(driver, step);
  }
  await driver.settle();
  assert.deepEqual(driver.faults(), []);
  return countCalls(driver.world.calls);
}

async function take(driver: FanOutDriver, { kind, a, b }: WeightedStep<Kind>): Promise<void> {
  switch (kind) {
    case "publish":
      return driver.publish(a, b, b % 2 === 0);
    case "toggle":
      return driver.toggle(a, b);
    case "renew":
      return driver.renew(a, b);
    case "retry":
      return driver.retry(a);
    case "queue":
      return driver.queue(a, b);
    case "crash":
      return driver.crash(a);
    case "fire":
      return void (await driver.world.fireNextAlarm(driver.world.nowMs + LATE_ALARM_MS));
    case "release":
      return driver.release(a, b);
  }
}

function fanOutScenario(parts: Pick<Scenario, "name" | "about" | "steps">, newDriver: () => FanOutDriver): Scenario {
  const run = (plan: readonly WeightedStep<Kind>[], onStep: (nth: number) => void): Promise<Outcome> =>
    deliverExactlyOnce(newDriver(), plan, onStep);
  return scenarioOf({ ...parts, stepsOf: fanOutSteps, run });
}

export const newRawDriver = (): FanOutDriver => new FanOutDriver({ sources: 3, sessions: 4 }, "raw");
export const newEnvelopeDriver = (): FanOutDriver => new FanOutDriver({ sources: 3, sessions: 4 }, "envelope");
export const newShardedDriver = (): FanOutDriver =>
  new FanOutDriver({ sources: 2, sessions: 9 }, "raw", { shardedAbove: 2, shardSessions: 2 });

export const FAN_OUT = fanOutScenario(
  { name: "fan-out", about: "sessions get each message exactly once and in order: raw", steps: 2_000 },
  newRawDriver,
);

export const ENVELOPES = fanOutScenario(
  { name: "envelopes", about: "sessions get each message exactly once and in order: envelopes", steps: 2_000 },
  newEnvelopeDriver,
);

export const SHARDS = fanOutScenario(
  { name: "shards", about: "the same through a queue that loses, repeats and reorders its messages", steps: 3_000 },
  newShardedDriver,
);
