import { assertProperty } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { expect, it } from "vitest";

import { wakeAndAcknowledge, wakeSteps } from "../../src/scenarios/wakes.ts";

it.each(["pull-wake", "webhook"] as const)(
  "[IN13] [WK2] one lease at most, growing generations, no wake lost, none without a cause, nothing acknowledged unseen: %s",
  async (type) => {
    const property = fc.asyncProperty(fc.integer({ min: 1 }), async (seed) => {
      const outcome = await wakeAndAcknowledge(type, wakeSteps(seed, 1_200));
      expect(outcome["call notify"]).toBeGreaterThan(0);
    });
    await assertProperty(`subscriptions, ${type}`, property, 8);
  },
  60_000,
);
