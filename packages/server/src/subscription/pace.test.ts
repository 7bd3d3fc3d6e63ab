import { expect, it } from "vitest";

import { BURST_MAX, Bursts, Pace } from "./pace.ts";

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
  expect(found.slice(0, 5)).toEqual([1, 2, 3, 4, 5]);
  expect(Math.max(...found)).toBe(BURST_MAX);
});

it("lets half as many begin after each pause that ends late, down to one", async () => {
  const inTime = Array.from({ length: BURST_MAX - 1 }, () => 1);
  const late = Array.from({ length: 6 }, () => 20);
  expect((await bursts([...inTime, ...late])).slice(-6)).toEqual([16, 8, 4, 2, 1, 1]);
});

it("makes all who come at once wait for the same pauses", async () => {
  let pauses = 0;
  const pace = new Pace({ now: () => 0, pause: async () => (pauses += 1) < 0 }, new Bursts());
  await Promise.all(Array.from({ length: 10 }, () => pace.pass()));
  expect(pauses).toBe(3);
});

it("is shared by all rounds of a thread: two that pause at the same time refill once", async () => {
  const bursts = new Bursts();
  expect([bursts.take(), bursts.take()]).toEqual([true, false]);
  bursts.refill(10, 11);
  bursts.refill(10, 11);
  expect([bursts.take(), bursts.take(), bursts.take()]).toEqual([true, true, false]);
  bursts.refill(11, 12);
  expect(bursts.take()).toBe(true);
});

it("goes on when the clock is put back", () => {
  const bursts = new Bursts();
  bursts.refill(100, 101);
  while (bursts.take());
  bursts.refill(5, 6);
  expect(bursts.take()).toBe(true);
});
