import { expect, it } from "vitest";

import { Outbox } from "./outbox.ts";

/** An outbox whose notifications succeed as often as the test says, and the alarm that it asks for. */
function newOutbox(answers: (boolean | "throws")[] = []) {
  const world = { nowMs: 0, alarms: [] as number[], sent: 0 };
  const outbox = new Outbox({
    now: () => world.nowMs,
    arm: () => void world.alarms.push(outbox.dueAtMs ?? Infinity),
    send: async () => {
      world.sent += 1;
      const answer = answers.shift() ?? true;
      if (answer === "throws") throw new Error("injected");
      return answer;
    },
  });
  return { outbox, world };
}

async function settled(): Promise<void> {
  await new Promise((resolve) => void setImmediate(resolve));
}

it("sets one alarm for all that is recorded until it fires, and none after it when all was notified", async () => {
  const { outbox, world } = newOutbox();
  for (let count = 0; count < 3; count += 1) {
    outbox.record();
    outbox.flush();
    await settled();
  }
  expect(world.alarms).toEqual([2_000]);
  world.nowMs = 2_000;
  outbox.fire();
  expect(outbox.dueAtMs).toBeUndefined();
  outbox.record();
  expect(world.alarms).toEqual([2_000, 4_000]);
});

it("what was recorded and never flushed is notified when the alarm fires", async () => {
  const { outbox, world } = newOutbox();
  outbox.record();
  outbox.fire();
  await settled();
  expect(world.sent).toBe(1);
});

it("tries again by the alarm, each time after twice as long, up to a minute, and forgets that once it has succeeded", async () => {
  const { outbox, world } = newOutbox([false, "throws", false, false, false, false, false]);
  outbox.record();
  outbox.flush();
  await settled();
  const delays: number[] = [];
  while (outbox.dueAtMs !== undefined) {
    delays.push(outbox.dueAtMs - world.nowMs);
    world.nowMs = outbox.dueAtMs;
    outbox.fire();
    await settled();
    if (delays.length > 20) throw new Error("It never rests.");
  }
  expect(world.sent).toBe(8);
  expect(delays.slice(0, 3).every((delay) => delay <= 8_000)).toBe(true);
  expect(Math.max(...delays)).toBe(60_000);
  outbox.record();
  expect((outbox.dueAtMs ?? 0) - world.nowMs).toBe(2_000);
});

it("an alarm that others set anew does not forget what was flushed after a restart", () => {
  const { outbox } = newOutbox();
  outbox.flush();
  expect(outbox.dueAtMs).toBe(2_000);
});

it("an object that cannot set its alarm after a failure leaves no rejection behind, and the next notification sets it", async () => {
  const rejections: unknown[] = [];
  const note = (error: unknown): void => void rejections.push(error);
  process.on("unhandledRejection", note);
  let isBroken = true;
  let alarms = 0;
  const outbox = new Outbox({
    now: () => 0,
    arm: () => {
      if (isBroken) throw new Error("The object was reset.");
      alarms += 1;
    },
    send: async () => !isBroken,
  });
  outbox.flush();
  await settled();
  expect(() => outbox.record()).toThrow("The object was reset.");
  await settled();
  process.off("unhandledRejection", note);
  isBroken = false;
  outbox.record();
  expect([rejections, alarms]).toEqual([[], 1]);
});
