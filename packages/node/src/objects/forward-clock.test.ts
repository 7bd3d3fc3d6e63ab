import { expect, it } from "vitest";

import { ForwardClock } from "./forward-clock.ts";

it("a forward clock follows the machine's, and goes on evenly while that is behind", () => {
  let [wall, monotonic] = [1_000_000, 50];
  const clock = new ForwardClock(
    900_000,
    () => wall,
    () => monotonic,
  );
  const pass = (ms: number, jump = 0): number => {
    monotonic += ms;
    wall += ms + jump;
    return clock.now();
  };
  expect(clock.now()).toBe(1_000_000);
  expect(pass(10)).toBe(1_000_010);
  expect(pass(10, -3_600_000)).toBe(1_000_020);
  expect(pass(10)).toBe(1_000_030);
  expect(pass(10, 3_600_000)).toBe(1_000_040);
  expect(pass(10, 7_200_000)).toBe(8_200_050);
});

it("a forward clock begins at the instant that it is given, if the machine's clock is behind that", () => {
  let monotonic = 0;
  const clock = new ForwardClock(
    5_000,
    () => 1_000,
    () => monotonic,
  );
  monotonic = 70;
  expect(clock.now()).toBe(5_070);
});
