import { assertProperty } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { expect, it } from "vitest";

import { forkSteps } from "../../src/drivers/fork-steps.ts";
import { steps } from "../../src/model/steps.ts";
import { keepEveryColdByte } from "../../src/scenarios/forks.ts";
import { rollAsTheModel } from "../../src/scenarios/streams.ts";

it("[IN7] [TI2] streams that roll behave as the reference model does: cold bytes are hot bytes", async () => {
  let rolled = 0;
  const property = fc.asyncProperty(steps, async (plan) => {
    rolled += (await rollAsTheModel(plan))["call put"] ?? 0;
  });
  await assertProperty("streams that roll on node:sqlite", property, 300, () => expect(rolled).toBeGreaterThan(100));
}, 600_000);

it("[TI3] [IN1] streams that roll keep every byte and leave no object, whatever crashes, is lost or comes late", async () => {
  const seen: Record<string, number> = { rolled: 0, lostUploads: 0, collected: 0 };
  const property = fc.asyncProperty(forkSteps, async (plan) => {
    const outcome = await keepEveryColdByte(plan);
    for (const name of Object.keys(seen)) seen[name] = (seen[name] ?? 0) + (outcome[name] ?? 0);
  });
  await assertProperty("forks that roll on node:sqlite", property, 150, () => {
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0);
  });
}, 600_000);
