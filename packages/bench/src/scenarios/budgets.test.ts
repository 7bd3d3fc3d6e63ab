import { expect, it } from "vitest";

import { SCENARIOS } from "./index.ts";

it.each([
  { kind: "full", seconds: 600 },
  { kind: "quick", seconds: 60 },
] as const)(
  "the $kind run's budgets are at most $seconds s together, and none is used up by preparing",
  ({ kind, seconds }) => {
    const budgets = Object.values(SCENARIOS).filter(({ budget }) => budget[kind] !== undefined);
    const sum = budgets.reduce((total, { budget }) => total + (budget[kind] ?? 0), 0);
    expect(sum).toBeGreaterThan(seconds / 2);
    expect(sum).toBeLessThanOrEqual(seconds);
    for (const { budget } of budgets.filter(({ budget: { measurements } }) => measurements > 0)) {
      const { preparation, quickPreparation = preparation } = budget;
      expect(budget[kind]).toBeGreaterThan(kind === "quick" ? quickPreparation : preparation);
    }
  },
);
