/** Rounds that go through the queue, which may do with them what it likes. */

import { linksTable } from "@durable-streams-cloudflare/core/fan-out/source/tables";
import { rowsOf } from "@durable-streams-cloudflare/core/test/stored-rows";
import { beforeEach, expect, it } from "vitest";

import { clientsOf } from "../../src/drivers/fan-out-clients.ts";
import { unwrap, FanOutWorld } from "../../src/worlds/fan-out-world.ts";

const SOURCE = "p/chat";
const SESSIONS = ["p/a", "p/b", "p/c", "p/d", "p/e"];
/** What the object waits for shards. */
const SHARDS_MS_MAX = 30_000;

let world: FanOutWorld;

beforeEach(() => {
  world = new FanOutWorld({ shards: { shardedAbove: 2, shardSessions: 2 } });
});

const { source, publish, subscribe, aSecond } = clientsOf(() => world);

async function followAll(format: "raw" | "envelope" = "raw"): Promise<void> {
  await source("chat");
  for (const session of SESSIONS) unwrap(await subscribe([SOURCE], { session, format }));
  await aSecond();
}

function contents(): (string | undefined)[] {
  return SESSIONS.map((session) => world.content(session));
}

function deliveries(): number {
  return world.calls.filter(({ method }) => method === "deliver").length;
}

async function deliverAll(): Promise<void> {
  while (world.queue.length > 0) await world.deliverShard(0);
}

it("[FO5] references go through the queue, in shards, and Workers deliver", async () => {
  await followAll();
  await publish(SOURCE, "one;");
  await aSecond();
  expect(world.queue.map(({ after, upTo }) => [after, upTo])).toEqual([
    ["", "p/b"],
    ["p/b", "p/d"],
    ["p/d", "\u{10ffff}"],
  ]);
  expect(contents()).toEqual(SESSIONS.map(() => ""));
  await deliverAll();
  expect(contents()).toEqual(SESSIONS.map(() => "one;"));
  expect(deliveries()).toBe(SESSIONS.length);
});

it("the next pass begins when all shards of one have been served, in any order and twice", async () => {
  await followAll();
  await publish(SOURCE, "one;");
  await aSecond();
  await publish(SOURCE, "two;");
  await aSecond();
  world.queue.push(...world.queue.toReversed());
  await deliverAll();
  await aSecond();
  await deliverAll();
  expect(contents()).toEqual(SESSIONS.map(() => "one;two;"));
});

it("[FO5] the object serves what the queue loses by itself, after a while", async () => {
  await followAll();
  await publish(SOURCE, "one;");
  await aSecond();
  const [lost] = world.queue.splice(1, 1);
  await deliverAll();
  expect(contents()).toEqual(["one;", "one;", "", "", "one;"]);
  await world.fireAlarmsUntil(world.nowMs + SHARDS_MS_MAX + 1_000);
  expect(contents()).toEqual(SESSIONS.map(() => "one;"));
  const before = deliveries();
  if (lost !== undefined) world.queue.push(lost);
  await deliverAll();
  expect(deliveries()).toBe(before);
});

it("[FO5] when the queue accepts nothing, the object serves everything at once", async () => {
  await followAll();
  world.isQueueDown = true;
  await publish(SOURCE, "one;");
  await aSecond();
  expect(contents()).toEqual(SESSIONS.map(() => "one;"));
  expect(world.reports).toEqual([expect.stringContaining("The queue did not accept shards")]);
});

it("[FO3] a session that does not accept its shard is served by itself, later, and one that is gone is removed", async () => {
  await followAll();
  world.host("stream:p/b").database.failOnce(/^INSERT INTO log/, new Error("injected"));
  unwrap(await world.stream("p/c").remove());
  await publish(SOURCE, "one;");
  await aSecond();
  await deliverAll();
  expect(contents()).toEqual(["one;", "", undefined, "one;", "one;"]);
  await world.fireAlarmsUntil(world.nowMs + 5_000);
  expect(contents()).toEqual(["one;", "one;", undefined, "one;", "one;"]);
  const { database } = world.host(`followers:${SOURCE}`);
  const left = rowsOf(database, linksTable).filter(({ position }) => position === null);
  expect(left.map(({ session }) => session)).toEqual(["p/a", "p/b", "p/d", "p/e"]);
});

it("[FO6] the end of a source is delivered at once, whatever the queue still holds", async () => {
  await followAll("envelope");
  await publish(SOURCE, "one;");
  await aSecond();
  unwrap(await world.stream(SOURCE).remove());
  await aSecond();
  const notified = contents();
  expect(notified.every((content) => content?.includes('"control":"deleted"'))).toBe(true);
  await deliverAll();
  expect(contents()).toEqual(notified);
});
