import { runSteps } from "@durable-streams-cloudflare/simulator/model/run-steps";
import { steps } from "@durable-streams-cloudflare/simulator/model/steps";
import { assertProperty } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { afterEach, beforeEach, it, vi } from "vitest";

import { HttpDriver } from "./http-driver.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
});

afterEach(() => {
  vi.useRealTimers();
});

it("[IN7] the server answers for every incarnation of a few URLs as the reference model does, evictions and forks included", async () => {
  const property = fc.asyncProperty(steps, async (plan) => {
    await runSteps(new HttpDriver(), plan, Date.now());
  });
  await assertProperty("server in workerd", property, 40);
}, 3_600_000);
