import { expect, it } from "vitest";

import { BURST_MAX, Bursts, Pace } from "./pacer.ts";

/** How many pass between two pauses, each of which ends so much late. */
async function bursts(latenessMs: readonly number[]): Promise<number[]> {
  let nowMs = 0;
  const passed = [0];
  const pauses = latenessMs.values();
  const ports = {
    now: () => nowMs,
    pause: async () => {
      nowMs += pauses.next().value ?? 0;
      passed.push(0);
      return false;
    },
  };
  const pace = new Pace(ports, new Bursts());
  while (passed.length <= latenessMs.length) {
    await pace.pass();
    passed.push((passed.pop() ?? 0) + 1);
  }
  return passed.slice(0, -1);
}

it("lets more and more begin while pauses end in time, up to a bound", async () => {
  const found = await bursts(Array.from({ length: 100 }, () => 1));
  expect(found.slice(0, 6)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(Math.max(...found)).toBe(BURST_MAX);
});

it("lets half as many begin after each pause that ends late, down to one", async () => {
  const inTime = Array.from({ length: BURST_MAX }, () => 1);
  const late = Array.from({ length: 6 }, () => 20);
  expect((await bursts([...inTime, ...late])).slice(-6)).toEqual([16, 8, 4, 2, 1, 1]);
});

it("lets one begin at a time where as little as possible should run", () => {
  const [bursts, pass] = [new Bursts(), {}];
  expect([10, 11, 12].map((atMs) => bursts.grant(pass, atMs, atMs))).toEqual([1, 2, 3]);
  expect(bursts.grant(pass, 13, 13, true)).toBe(1);
});

it("makes all who come at once wait for the same pauses", async () => {
  let pauses = 0;
  const pace = new Pace({ now: () => 0, pause: async () => (pauses += 1) < 0 }, new Bursts());
  await Promise.all(Array.from({ length: 10 }, () => pace.pass()));
  expect(pauses).toBe(4);
});

it("gives passes whose pauses end at the same time one burst, and they take turns", () => {
  const [bursts, one, other] = [new Bursts(), {}, {}];
  expect([bursts.enter(one, 9), bursts.enter(other, 9)]).toEqual([1, 2]);
  expect([bursts.grant(other, 10, 10), bursts.grant(one, 10, 10), bursts.grant(other, 10, 10)]).toEqual([0, 1, 0]);
  expect([bursts.grant(one, 11, 11), bursts.grant(other, 11, 11), bursts.grant(one, 12, 12)]).toEqual([0, 2, 3]);
});

it("does not wait for an object that is gone", () => {
  const [bursts, pass] = [new Bursts(), {}];
  bursts.enter({}, 0);
  bursts.enter(pass, 1);
  expect(bursts.grant(pass, 2, 2)).toBe(0);
  expect(bursts.grant(pass, 300, 300)).toBe(1);
});

it("continues when the clock is set back", () => {
  const [bursts, pass] = [new Bursts(), {}];
  expect(bursts.grant(pass, 101, 101)).toBe(1);
  expect(bursts.grant(pass, 6, 6)).toBe(2);
});
