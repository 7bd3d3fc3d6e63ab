import { assertProperty } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { expect, it } from "vitest";

import { ConsumerDriver } from "../../src/drivers/consumer-driver.ts";
import { numbersFrom } from "../../src/numbers.ts";

/** What happens next; several of a kind make it likelier. */
const KINDS = [
  "append",
  "append",
  "append",
  "work",
  "work",
  "work",
  "choose",
  "choose",
  "fireAlarm",
  "fireAlarm",
  "crash",
  ...Array.from({ length: 24 }, () => "release"),
] as const;

async function run(driver: ConsumerDriver, seed: number, steps: number): Promise<void> {
  const next = numbersFrom(seed);
  await driver.begin();
  for (let step = 0; step < steps; step += 1) {
    const [kind, a, b] = [KINDS[next() % KINDS.length], next(), next()];
    if (kind === "append" && b % 25 === 0) driver.end(a);
    else if (kind === "append") driver.append(a, b);
    else if (kind === "work") driver.work(a, b);
    else if (kind === "choose") driver.choose(b);
    else if (kind === "crash") await driver.crash(a);
    else if (kind === "fireAlarm") await driver.world.fireNextAlarm(driver.world.nowMs + 10_000);
    else await driver.release(a, b);
  }
  await driver.settle();
}

it.each(["pull-wake", "webhook"] as const)(
  "[IN13] [WK2] one lease at most, growing generations, no wake lost, none without a cause, nothing acknowledged unseen: %s",
  async (type) => {
    const property = fc.asyncProperty(fc.integer({ min: 1 }), async (seed) => {
      const driver = new ConsumerDriver(type);
      await run(driver, seed, 1_200);
      expect(driver.faults).toEqual([]);
    });
    await assertProperty(`subscriptions, ${type}`, property, 8);
  },
  60_000,
);
