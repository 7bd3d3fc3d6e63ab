import { expect, it } from "vitest";

import { losePower } from "./testing/power-loss.ts";

const SEEDS = Array.from({ length: 20 }, (_, index) => index + 1);

it("[IN1] a power cut takes nothing that was acknowledged, and leaves the rest whole or absent", () => {
  const runs = SEEDS.map((seed) => ({ seed, ...losePower(seed) }));
  expect(runs.filter(({ faults }) => faults.length > 0)).toEqual([]);
  expect(runs.reduce((sum, { checkpoints }) => sum + checkpoints, 0)).toBeGreaterThan(50);
});

it("the model of the disk finds what is lost without syncs", () => {
  const bad = SEEDS.filter((seed) => losePower(seed, false).faults.length > 0);
  expect(bad.length).toBeGreaterThan(SEEDS.length / 2);
});
