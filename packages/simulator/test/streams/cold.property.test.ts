import { createHash } from "node:crypto";

import { assertProperty } from "@durable-streams-cloudflare/testkit";
import { FakeSegmentStore } from "@durable-streams-cloudflare/testkit/node-host";
import fc from "fast-check";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { ForkRun, forkSteps } from "../../src/drivers/fork-steps.ts";
import { StreamDriver } from "../../src/drivers/stream-driver.ts";
import { runSteps } from "../../src/model/run-steps.ts";
import { steps } from "../../src/model/steps.ts";
import {
  expectExactCounts,
  expectNothingAfterDeletingAll,
  expectWholeContents,
} from "../../src/worlds/stream-rules.ts";
import { StreamWorld } from "../../src/worlds/stream-world.ts";

/** Longer than anything waits: pending releases, uploads that arrive late, a second pass over pending deletions. */
const QUIET_MS = 600_000;

beforeEach(() => {
  // Hashing in another thread would take an unknown number of turns: the same seed must be the same run.
  vi.spyOn(crypto.subtle, "digest").mockImplementation(
    async (_, bytes) =>
      Uint8Array.from(
        createHash("sha256")
          .update(new Uint8Array(bytes as Uint8Array))
          .digest(),
      ).buffer,
  );
});

afterEach(() => {
  vi.restoreAllMocks();
});

const TINY = { segmentBytes: 12, segmentBytesMin: 1, segmentAgeSeconds: 30 };

it("[IN7] [TI2] streams that roll behave as the reference model does: cold bytes are hot bytes", async () => {
  let rolled = 0;
  const property = fc.asyncProperty(steps, async (plan) => {
    const segments = new FakeSegmentStore();
    const driver = new StreamDriver(new StreamWorld({ segments, ...TINY }));
    await runSteps(driver, plan, driver.startMs);
    rolled += driver.world.calls.filter(({ method }) => method === "put").length;
    await driver.world.fireAllAlarms(driver.world.nowMs + QUIET_MS);
    expectExactCounts(driver.world);
    await expectNothingAfterDeletingAll(driver.world);
    expect([...segments.objects.keys()]).toEqual([]);
  });
  await assertProperty("streams that roll on node:sqlite", property, 300);
  expect(rolled).toBeGreaterThan(100);
}, 600_000);

it("[TI3] [IN1] streams that roll keep every byte and leave no object, whatever crashes, is lost or comes late", async () => {
  const seen = { rolled: 0, lostUploads: 0, collected: 0 };
  const property = fc.asyncProperty(forkSteps, async (plan) => {
    const segments = new FakeSegmentStore();
    const run = new ForkRun(new StreamWorld({ segments, ...TINY }));
    const { world } = run;
    for (const step of plan) {
      await run.take(step);
      expectWholeContents(world);
    }
    await run.finish();
    await world.fireAllAlarms(world.nowMs + QUIET_MS);
    expectWholeContents(world);
    expectExactCounts(world);
    seen.rolled += segments.objects.size;
    seen.lostUploads += world.keys.flatMap((name) => world.host(name).reports).length;
    seen.collected += world.calls.filter(({ method }) => method === "delete").length;
    await expectNothingAfterDeletingAll(world);
    expect([...segments.objects.keys()]).toEqual([]);
  });
  await assertProperty("forks that roll on node:sqlite", property, 150);
  // The plans do reach what they are made for.
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0);
}, 600_000);
