import assert from "node:assert/strict";

import { SubscriptionDriver } from "../drivers/subscription-driver.ts";
import { installSimCrypto } from "../worlds/sim-crypto.ts";
import { countCalls, scenarioOf, type Outcome, type Scenario } from "./scenario.ts";
import { weightedSteps, type WeightedStep } from "./weighted-steps.ts";

const WEIGHTS = { append: 3, work: 3, choose: 2, fire: 2, crash: 1, release: 24 } as const;
type Kind = keyof typeof WEIGHTS;
type Way = "pull-wake" | "webhook";

const LATE_ALARM_MS = 10_000;
/** One append in so many ends its stream instead. */
const APPENDS_PER_END = 25;

export function wakeSteps(seed: number, steps: number): readonly WeightedStep<Kind>[] {
  return weightedSteps(WEIGHTS, seed, steps);
}

/** One lease at most, growing generations, no wake lost, none without a cause, nothing acknowledged unseen. */
export async function wakeAndAcknowledge(
  way: Way,
  plan: readonly WeightedStep<Kind>[],
  onStep?: (nth: number) => void,
): Promise<Outcome> {
  const restore = installSimCrypto();
  try {
    const driver = new SubscriptionDriver(way);
    await driver.begin();
    for (const [nth, step] of plan.entries()) {
      onStep?.(nth);
      await take(driver, step);
    }
    await driver.settle();
    assert.deepEqual(driver.faults, []);
    return countCalls(driver.world.calls);
  } finally {
    restore();
  }
}

async function take(driver: SubscriptionDriver, { kind, a, b }: WeightedStep<Kind>): Promise<void> {
  switch (kind) {
    case "append":
      return b % APPENDS_PER_END === 0 ? driver.end(a) : driver.append(a, b);
    case "work":
      return driver.work(a, b);
    case "choose":
      return driver.choose(b);
    case "crash":
      return driver.crash(a);
    case "fire":
      return void (await driver.world.fireNextAlarm(driver.world.nowMs + LATE_ALARM_MS));
    case "release":
      return driver.release(a, b);
  }
}

function wakeScenario(way: Way): Scenario {
  return scenarioOf({
    name: way,
    about: `a subscription of type ${way}: one lease at a time, every pending event wakes a worker`,
    steps: 1_200,
    stepsOf: wakeSteps,
    run: (plan, onStep) => wakeAndAcknowledge(way, plan, onStep),
  });
}

export const PULL_WAKES = wakeScenario("pull-wake");
export const WEBHOOKS = wakeScenario("webhook");
