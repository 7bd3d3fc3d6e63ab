import { expect, it } from "vitest";

import { losePower } from "./testing/power-loss.ts";

const SEEDS = Array.from({ length: 20 }, (_, index) => index + 1);

it.each(["file-durable", "acid"] as const)(
  "[IN1] [SM3] %s: a power cut takes nothing that was acknowledged, and leaves the rest whole or absent",
  (mode) => {
    const runs = SEEDS.map((seed) => ({ seed, ...losePower(seed, mode) }));
    expect(runs.filter(({ faults, lost }) => faults.length + lost.length > 0)).toEqual([]);
    expect(runs.reduce((sum, { checkpoints }) => sum + checkpoints, 0)).toBeGreaterThan(50);
  },
);

it("[SM4] file-fast: a power cut takes the newest commits at most; the database is intact and its order has no gap", () => {
  const runs = SEEDS.map((seed) => ({ seed, ...losePower(seed, "file-fast") }));
  expect(runs.filter(({ faults }) => faults.length > 0)).toEqual([]);
  expect(runs.filter(({ lost }) => lost.length > 0).length).toBeGreaterThan(SEEDS.length / 4);
});

it("the model of the disk finds what is damaged, and what is lost, without syncs", () => {
  const runs = SEEDS.map((seed) => losePower(seed, "never"));
  expect(runs.filter(({ faults }) => faults.length > 0).length).toBeGreaterThan(0);
  expect(runs.filter(({ faults, lost }) => faults.length + lost.length > 0).length).toBeGreaterThan(SEEDS.length / 2);
});
