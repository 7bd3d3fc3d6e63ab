import { assertProperty } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { expect, it } from "vitest";

import { FanOutDriver } from "../../src/drivers/fan-out-driver.ts";
import { numbersFrom } from "../../src/numbers.ts";

/** What happens next; several of a kind make it likelier. */
const KINDS = [
  "publish",
  "publish",
  "publish",
  "toggle",
  "renew",
  "crash",
  "fireAlarm",
  "retry",
  "queue",
  ...Array.from({ length: 18 }, () => "release"),
] as const;

async function run(driver: FanOutDriver, seed: number, steps: number): Promise<void> {
  const next = numbersFrom(seed);
  await driver.begin();
  for (let step = 0; step < steps; step += 1) {
    const [kind, a, b] = [KINDS[next() % KINDS.length], next(), next()];
    if (kind === "publish") driver.publish(a, b, b % 2 === 0);
    else if (kind === "toggle") driver.toggle(a, b);
    else if (kind === "renew") driver.renew(a, b);
    else if (kind === "retry") driver.retry(a);
    else if (kind === "crash") await driver.crash(a);
    else if (kind === "queue") driver.queue(a, b);
    else if (kind === "fireAlarm") await driver.world.fireNextAlarm(driver.world.nowMs + 100_000);
    else await driver.release(a, b);
  }
  await driver.settle();
}

it.each(["raw", "envelope"] as const)(
  "[IN14] [FO1] every session holds exactly what was published while it was subscribed, in order, whatever crashes or gets lost: %s",
  async (format) => {
    const property = fc.asyncProperty(fc.integer({ min: 1 }), async (seed) => {
      const driver = new FanOutDriver({ sources: 3, sessions: 4 }, format);
      await run(driver, seed, 2_000);
      expect(driver.faults()).toEqual([]);
    });
    await assertProperty(`exactly once, ${format}`, property, 12);
  },
);

it("[IN14] [FO5] so it does when deliveries go in shards through a queue that loses, repeats and reorders them", async () => {
  let shards = 0;
  const property = fc.asyncProperty(fc.integer({ min: 1 }), async (seed) => {
    const driver = new FanOutDriver({ sources: 2, sessions: 9 }, "raw", { shardedAbove: 2, shardSessions: 2 });
    await run(driver, seed, 3_000);
    expect(driver.faults()).toEqual([]);
    shards += driver.world.calls.filter(({ method }) => method === "shardServed").length;
  });
  await assertProperty("exactly once, in shards", property, 12);
  expect(shards).toBeGreaterThan(0);
});

it("[IN14] so do 200 sessions of 50 sources", async () => {
  const property = fc.asyncProperty(fc.integer({ min: 1 }), async (seed) => {
    const driver = new FanOutDriver({ sources: 50, sessions: 200 }, "raw");
    await run(driver, seed, 25_000);
    expect(driver.faults()).toEqual([]);
    expect(driver.world.calls.filter(({ method }) => method === "deliver").length).toBeGreaterThan(100);
  });
  await assertProperty("exactly once, 50 by 200", property, 1);
});
