import { assertProperty, runSteps, steps } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { it } from "vitest";

import { StreamDriver } from "../../test/support/stream-driver.ts";

it("a stream answers every life of a URL as the reference model does, restarts included", async () => {
  const property = fc.asyncProperty(steps, async (plan) => {
    const driver = new StreamDriver();
    await runSteps(driver, plan, driver.startMs);
  });
  await assertProperty("stream on node:sqlite", property, 1_000);
}, 600_000);
