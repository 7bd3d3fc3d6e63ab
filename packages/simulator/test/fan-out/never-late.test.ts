/**
 * What is published reaches its sessions within seconds, whatever dies or gets lost on the way, and nobody touches the source.
 */

import { appendOf } from "@durable-streams-cloudflare/core/test/stream-fixture";
import { settled } from "@durable-streams-cloudflare/testkit/node-host";
import { beforeEach, describe, expect, it } from "vitest";

import { clientsOf, SESSION } from "../../src/drivers/fan-out-clients.ts";
import { unwrap, FanOutWorld } from "../../src/worlds/fan-out-world.ts";
import { ignoreLost } from "../../src/worlds/world.ts";

const SOURCE = "p/chat";
const LATE_MS = 5_000;
const SECOND = 1_000;
/** More than there are steps between an append and its delivery. */
const STEPS_MAX = 60;
const DAY = 86_400 * SECOND;

let world: FanOutWorld;

beforeEach(() => {
  world = new FanOutWorld();
});

const { source, publish, subscribe } = clientsOf(() => world);

/** A session that follows a source, which has been quiet for a while. */
async function follow(quietMs: number, format: "raw" | "envelope" = "raw"): Promise<void> {
  world = new FanOutWorld();
  await source("chat");
  const ttlSeconds = 2 * (DAY / SECOND);
  const subscribed = await world.askEstuary(SESSION, (estuary) =>
    estuary.subscribe({ sources: [SOURCE], format, from: { kind: "now" }, ttlSeconds }),
  );
  unwrap(subscribed);
  await publish(SOURCE, "before;");
  await world.fireAlarmsUntil(world.nowMs + quietMs);
  expect(world.content(SESSION)).toContain("before;");
}

/**
 * Begins something, lets so many messages and writes go through, and then kills everything at once.
 * @returns whether it was acknowledged before that, and whether it was over.
 */
async function killAfter(steps: number, work: () => Promise<unknown>): Promise<{ isAcked: boolean; isOver: boolean }> {
  let isAcked = false;
  world.isHeld = true;
  void work().then(() => (isAcked = true), ignoreLost);
  await settled();
  for (let step = 0; step < steps; step += 1) {
    await world.fireNextAlarm(world.nowMs + 1);
    await settled();
    if (world.heldCount > 0) await world.release(0, "arrives");
  }
  const isOver = world.heldCount === 0;
  for (const key of world.keys) world.crash(key);
  while (world.heldCount > 0) await world.release(0, "lost");
  world.isHeld = false;
  await settled();
  return { isAcked, isOver };
}

describe.each([
  { quiet: "a second", quietMs: SECOND },
  { quiet: "a minute", quietMs: 60 * SECOND },
  { quiet: "a day", quietMs: DAY },
])("after $quiet of silence", ({ quietMs }) => {
  it("[IN18] an acknowledged message is in the session within 5 s of a kill at any point", async () => {
    let steps = 0;
    for (let isOver = false; !isOver; steps += 1) {
      expect(steps).toBeLessThan(STEPS_MAX);
      await follow(quietMs);
      const killed = await killAfter(steps, () =>
        world.askStream(SOURCE, async (stream) => unwrap(await stream.append(appendOf("after;")))),
      );
      ({ isOver } = killed);
      await world.fireAlarmsUntil(world.nowMs + LATE_MS);
      const delivered = world.content(SESSION);
      expect(delivered).toBe(world.content(SOURCE));
      expect(delivered === "before;after;" || !killed.isAcked).toBe(true);
    }
    expect(steps).toBeGreaterThan(3);
  });

  it("[IN18] [FO6] so is the end of a source", async () => {
    for (let steps = 0, isOver = false; !isOver; steps += 1) {
      expect(steps).toBeLessThan(STEPS_MAX);
      await follow(quietMs, "envelope");
      const killed = await killAfter(steps, () =>
        world.askStream(SOURCE, async (stream) => unwrap(await stream.remove())),
      );
      ({ isOver } = killed);
      const isGone = world.content(SOURCE) === undefined;
      await world.fireAlarmsUntil(world.nowMs + LATE_MS);
      expect(world.content(SESSION)?.includes('"control":"deleted"')).toBe(isGone);
      expect(isGone || !killed.isAcked).toBe(true);
      expect(isGone ? world.leftovers(`stream:${SOURCE}`) : []).toEqual([]);
    }
  });

  it("[IN18] [FO6] so is the end of a source in whose place another stream was made", async () => {
    await follow(quietMs, "envelope");
    unwrap(await world.stream(SOURCE).append(appendOf("last;")));
    unwrap(await world.stream(SOURCE).remove());
    world.crash(`stream:${SOURCE}`);
    await source("chat");
    world.crash(`stream:${SOURCE}`);
    await world.fireAlarmsUntil(world.nowMs + LATE_MS);
    expect(world.content(SESSION)).toContain('"control":"deleted"');
  });

  it("[IN18] a notification that is lost is sent again", async () => {
    for (const lost of ["lost", "late"] as const) {
      await follow(quietMs);
      world.isHeld = true;
      const publishing = publish(SOURCE, "after;");
      await settled();
      await world.release(0, "arrives");
      await publishing;
      expect(world.calls.at(-1)?.method).toBe("notify");
      await world.release(0, lost);
      await world.releaseAll();
      await world.fireAlarmsUntil(world.nowMs + LATE_MS);
      expect(world.content(SESSION)).toBe("before;after;");
    }
  });
});

it("[IN17] a source and its followers that are quiet set no alarm and make no call", async () => {
  await follow(10 * SECOND);
  expect([world.host(`stream:${SOURCE}`).alarmAtMs, world.host(`followers:${SOURCE}`).alarmAtMs]).toEqual([
    undefined,
    undefined,
  ]);
});

it("a busy source sets one alarm in two seconds for its followers, and writes one row for each commit", async () => {
  await follow(10 * SECOND);
  const host = world.host(`stream:${SOURCE}`);
  const [alarms, rows] = [host.alarmsSet, host.database.rowsWritten];
  for (let count = 0; count < 100; count += 1) {
    await publish(SOURCE, `${count};`);
    await world.fireAlarmsUntil(world.nowMs + 100);
  }
  expect(host.alarmsSet - alarms).toBeLessThanOrEqual(5);
  expect(host.database.rowsWritten - rows).toBe(100);
});

it("[IN18] [FO5] shards that were with the queue when everything died are served within seconds, though the queue lost them", async () => {
  world = new FanOutWorld({ shards: { shardedAbove: 2, shardSessions: 2 } });
  await source("chat");
  const sessions = ["p/a", "p/b", "p/c", "p/d"];
  for (const session of sessions) unwrap(await subscribe([SOURCE], { session }));
  await publish(SOURCE, "one;");
  await world.fireAlarmsUntil(world.nowMs + 100);
  expect(world.queue.length).toBeGreaterThan(1);
  for (const key of world.keys) world.crash(key);
  world.queue.length = 0;
  await world.fireAlarmsUntil(world.nowMs + LATE_MS);
  expect(sessions.map((session) => world.content(session))).toEqual(sessions.map(() => "one;"));
});
