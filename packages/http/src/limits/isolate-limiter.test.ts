import { expect, it } from "vitest";

import { IsolateLimiter } from "./isolate-limiter.ts";
import { BINDING_UNITS, refuseAboveLimits } from "./rate-limit.ts";

async function isLet(limiter: IsolateLimiter, key: string, delta: number): Promise<boolean> {
  return (await limiter.limit({ key, delta })).success;
}

it("[SC8] requests are let through as long as fewer than the limit came before, and again a minute later", async () => {
  let nowMs = 0;
  const limiter = new IsolateLimiter(() => nowMs);
  const half = BINDING_UNITS / 2;
  expect([await isLet(limiter, "a", half), await isLet(limiter, "a", half)]).toEqual([true, true]);
  expect([await isLet(limiter, "a", 1), await isLet(limiter, "b", 1)]).toEqual([false, true]);
  nowMs = 59_999;
  expect(await isLet(limiter, "a", 1)).toBe(false);
  nowMs = 60_000;
  expect(await isLet(limiter, "a", 1)).toBe(true);
});

it("ten thousand keys are counted, and the oldest is forgotten then", async () => {
  const limiter = new IsolateLimiter(() => 0);
  for (let count = 0; count <= 10_000; count += 1) await isLet(limiter, String(count), BINDING_UNITS);
  expect([await isLet(limiter, "10000", 1), await isLet(limiter, "0", 1)]).toEqual([false, true]);
});

it("a weight is a whole number, and never more than the binding counts", async () => {
  const deltas: (number | undefined)[] = [];
  const limiter = {
    limit: async ({ delta }: { key: string; delta?: number }) => {
      deltas.push(delta);
      return { success: true };
    },
  };
  const limits = { appendBytesPerMinute: 3 };
  for (const weight of [1, 2, 3, 30_000_000]) {
    await refuseAboveLimits(limiter, limits, [{ name: "appendBytesPerMinute", whose: "p", weight }]);
  }
  expect(deltas).toEqual([333_334, 666_667, BINDING_UNITS, BINDING_UNITS]);
});
