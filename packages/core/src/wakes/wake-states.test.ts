import { expect, it } from "vitest";

import { backoffMs } from "./wake-states.ts";

it("[WH7] attempts are 1, 2, 4 … 60 seconds apart, give or take 20 %", () => {
  const pauses = (random: number) => Array.from({ length: 9 }, (_, tries) => backoffMs(tries + 1, random) / 1_000);
  expect(pauses(0.5)).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
  expect(pauses(0)).toEqual([0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 48, 48, 48]);
  for (const pause of pauses(1 - Number.EPSILON)) expect(pause).toBeLessThanOrEqual(72);
  expect(backoffMs(1_000, 0.5)).toBe(60_000);
});
