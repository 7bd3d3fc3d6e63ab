import { expectExactCounts, expectNothingAfterDeletingAll } from "@durable-streams-cloudflare/core/test/world-rules";
import { assertProperty, chainSteps, runSteps, steps, type Step } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { expect, it } from "vitest";

import { StreamDriver } from "../src/stream-driver.ts";

async function live(plan: readonly Step[]): Promise<Map<string, number>> {
  const driver = new StreamDriver();
  const outcomes = await runSteps(driver, plan, driver.startMs);
  expectExactCounts(driver.world);
  await expectNothingAfterDeletingAll(driver.world);
  return outcomes;
}

it("streams and forks live as in the reference model: restarts, expiry, and crashes between any two steps", async () => {
  const seen = new Set<string>();
  const property = fc.asyncProperty(steps, async (plan) => {
    for (const outcome of (await live(plan)).keys()) seen.add(outcome);
  });
  await assertProperty("streams on node:sqlite", property, 500);
  // The plans do reach what they are made for.
  expect([...seen].toSorted()).toEqual(expect.arrayContaining(REACHED));
}, 600_000);

it("chains of a hundred forks live as in the reference model", async () => {
  const property = fc.asyncProperty(chainSteps(100), async (plan) => {
    const outcomes = await live(plan);
    expect(outcomes.get("fork created")).toBeGreaterThanOrEqual(100);
  });
  await assertProperty("chains of forks on node:sqlite", property, 8);
}, 600_000);

const REACHED = [
  "append expected-offset-mismatch",
  "append stream-seq-regression",
  "create path-retained",
  "fork created",
  "fork exists",
  "fork fork-source-deleted",
  "fork lost",
  "fork stream-exists",
  "read not-modified",
  "read offset-gone",
  "read stream-deleted",
  "remove lost",
  "remove removed",
];
