import { assertProperty } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { expect, it } from "vitest";

import { ForkRun, forkSteps } from "../../src/drivers/fork-steps.ts";
import {
  expectExactCounts,
  expectNothingAfterDeletingAll,
  expectWholeContents,
} from "../../src/worlds/stream-rules.ts";

/** Longer than any pending release waits, shorter than what expires. */
const QUIET_MS = 90_000;

it("[FK17] [FK1] [IN12] forks keep every byte and leave none, whatever crashes, is lost or comes late between their objects", async () => {
  const seen = new Map<string, number>();
  const property = fc.asyncProperty(forkSteps, async (plan) => {
    const run = new ForkRun();
    for (const step of plan) {
      await run.take(step);
      expectWholeContents(run.world);
    }
    await run.finish();
    expectWholeContents(run.world);
    await run.world.fireAllAlarms(run.world.nowMs + QUIET_MS);
    expectWholeContents(run.world);
    expectExactCounts(run.world);
    await expectNothingAfterDeletingAll(run.world);
    for (const [outcome, count] of run.outcomes) seen.set(outcome, (seen.get(outcome) ?? 0) + count);
  });
  await assertProperty("forks on node:sqlite", property, 250);
  // The plans do reach what they are made for.
  const outcomes = ["fork ok", "fork lost", "fork path-retained", "fork fork-source-deleted", "remove ok"];
  expect([...seen.keys()]).toEqual(expect.arrayContaining(outcomes));
}, 600_000);
