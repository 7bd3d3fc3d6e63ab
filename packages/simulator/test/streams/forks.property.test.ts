import { assertProperty } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { expect, it } from "vitest";

import { forkSteps } from "../../src/drivers/fork-steps.ts";
import { keepEveryByte } from "../../src/scenarios/forks.ts";

it("[FK17] [FK1] [IN12] forks keep every byte and leave none, whatever crashes, is lost or comes late between their objects", async () => {
  const seen = new Set<string>();
  const property = fc.asyncProperty(forkSteps, async (plan) => {
    for (const outcome of (await keepEveryByte(plan)).outcomes.keys()) seen.add(outcome);
  });
  await assertProperty("forks on node:sqlite", property, 250, () => {
    const outcomes = ["fork ok", "fork lost", "fork path-retained", "fork fork-source-deleted", "remove ok"];
    expect([...seen]).toEqual(expect.arrayContaining(outcomes));
  });
}, 600_000);
