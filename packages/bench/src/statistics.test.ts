import { expect, it } from "vitest";

import { median, percentile, spreadOf } from "./statistics.ts";

it("the median of an even count lies between its two middle values", () => {
  expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([7])]).toEqual([2, 2.5, 7]);
});

it("the spread shows the median and both ends, whatever the order", () => {
  expect(spreadOf([30, 10, 20])).toEqual({ median: 20, min: 10, max: 30 });
});

it("a percentile is a value that was measured", () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect([percentile(values, 0.99), percentile(values, 1), percentile([5], 0.99)]).toEqual([99, 100, 5]);
});
