import { assertProperty } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { expect, it } from "vitest";

import { FanOutDriver } from "../../src/drivers/fan-out-driver.ts";
import {
  deliverExactlyOnce,
  fanOutSteps,
  newEnvelopeDriver,
  newRawDriver,
  newShardedDriver,
} from "../../src/scenarios/fan-out.ts";
import type { Outcome } from "../../src/scenarios/scenario.ts";

const seeds = fc.integer({ min: 1 });

/** Shrinking thousands of steps would take hours: `npm run simulate` does that. A seed repeats them as well. */
function run(driver: FanOutDriver, seed: number, steps: number): Promise<Outcome> {
  return deliverExactlyOnce(driver, fanOutSteps(seed, steps));
}

it.each([
  ["raw", newRawDriver],
  ["envelope", newEnvelopeDriver],
] as const)(
  "[IN14] [FO1] every session holds exactly what was published while it was subscribed, in order, whatever crashes or gets lost: %s",
  async (format, newDriver) => {
    const property = fc.asyncProperty(seeds, async (seed) => void (await run(newDriver(), seed, 2_000)));
    await assertProperty(`exactly once, ${format}`, property, 12);
  },
);

it("[IN14] [FO5] so it does when deliveries go in shards through a queue that loses, repeats and reorders them", async () => {
  let shards = 0;
  const property = fc.asyncProperty(seeds, async (seed) => {
    shards += (await run(newShardedDriver(), seed, 3_000))["call shardServed"] ?? 0;
  });
  await assertProperty("exactly once, in shards", property, 12, () => expect(shards).toBeGreaterThan(0));
});

it("[IN14] so do 200 sessions of 50 sources", async () => {
  const property = fc.asyncProperty(seeds, async (seed) => {
    const outcome = await run(new FanOutDriver({ sources: 50, sessions: 200 }, "raw"), seed, 25_000);
    expect(outcome["call deliver"]).toBeGreaterThan(100);
  });
  await assertProperty("exactly once, 50 by 200", property, 1);
});
