import { KEEP_ALL } from "@durable-streams-cloudflare/protocol";
import { FakeSegmentStore } from "@durable-streams-cloudflare/testkit/node-host";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { LiveClient, type LiveMode } from "../../src/drivers/live-client.ts";
import { LiveWorld } from "../../src/worlds/live-world.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const MODES: readonly LiveMode[] = ["sse", "long-poll"];

async function newWorld(vars: Readonly<Record<string, string>> = {}): Promise<LiveWorld> {
  const world = new LiveWorld(() => 0.5, { SSE_SESSION_SECONDS: "3600", LONG_POLL_TIMEOUT_MS: "25000", ...vars });
  await world.create();
  return world;
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

/** Readers that wait at the tail; the first one is the owner. */
async function waiting(world: LiveWorld, mode: LiveMode, count: number): Promise<[LiveClient, ...LiveClient[]]> {
  const offset = world.offsetAt(world.content.length);
  const owner = new LiveClient(world, mode, offset);
  await pass(100);
  const others = Array.from({ length: count - 1 }, () => new LiveClient(world, mode, offset));
  await pass(100);
  return [owner, ...others];
}

function textsOf(clients: readonly LiveClient[]): string[] {
  return [...new Set(clients.map(({ text }) => text))];
}

describe.each(MODES)("readers over %s at the tail of one stream", (mode) => {
  it("share one channel, and join it without a call to the object", async () => {
    const world = await newWorld();
    const clients = await waiting(world, mode, 100);
    expect([world.attachments, world.sockets, world.reads]).toEqual([1, 1, 0]);
    await world.append("one");
    await pass(100);
    await world.append("two");
    await pass(100);
    expect(textsOf(clients)).toEqual(["onetwo"]);
    expect([world.attachments, world.reads]).toEqual([1, 0]);
  });

  it("have a channel each where SHARED_LIVE is off", async () => {
    const world = await newWorld({ SHARED_LIVE: "off" });
    const clients = await waiting(world, mode, 5);
    expect([world.attachments, world.sockets]).toEqual([5, 5]);
    await world.append("one");
    await pass(100);
    expect(textsOf(clients)).toEqual(["one"]);
  });

  it("go on when the owner leaves: another one attaches before the channel is closed", async () => {
    const world = await newWorld();
    const [owner, ...others] = await waiting(world, mode, 10);
    owner.leave();
    await world.append("one");
    await pass(200);
    await world.append("two");
    await pass(200);
    expect(textsOf(others)).toEqual(["onetwo"]);
    expect(world.sockets).toBe(1);
    // Of long-polls, those that come next need not take over at once.
    expect(world.attachments).toBe(mode === "sse" ? 2 : 1);
  });

  it("go on within 3 seconds and a look when the owner dies without a word, and when its successor does", async () => {
    const world = await newWorld();
    const [owner, ...others] = await waiting(world, mode, 4);
    owner.die();
    await world.append("one", false);
    await pass(3_000 + 1_000);
    expect(textsOf(others)).toEqual(["one"]);
    for (const client of others.slice(0, -1)) client.die();
    await world.append("two", false);
    await pass(3_000 + 3_000);
    expect(others.at(-1)?.text).toBe("onetwo");
  });

  it("read what is missing once for all when the channel is lost", async () => {
    const world = await newWorld();
    const clients = await waiting(world, mode, 50);
    world.restart(true);
    for (const text of ["one", "two", "three"]) await world.append(text, false);
    await pass(1_000);
    expect(textsOf(clients)).toEqual(["onetwothree"]);
    expect(world.attachments).toBeLessThanOrEqual(3);
    expect(world.reads).toBeLessThanOrEqual(2);
  });

  it("read a commit once for all of which the object sends the range only, and all that comes meanwhile after it", async () => {
    const world = await newWorld();
    world.sendsRanges = true;
    const clients = await waiting(world, mode, 50);
    for (const text of ["one", "two", "three"]) await world.append(text);
    world.sendsRanges = false;
    await world.append("four");
    await pass(1_000);
    expect(textsOf(clients)).toEqual(["onetwothreefour"]);
    expect([world.attachments, world.sockets]).toEqual([1, 1]);
    expect(world.reads).toBeLessThanOrEqual(3);
  });

  it("learn of the end of the stream", async () => {
    const [closed, removed] = [await newWorld(), await newWorld()];
    const clients = [await waiting(closed, mode, 10), await waiting(removed, mode, 10)] as const;
    await closed.append("last");
    await closed.close();
    await removed.remove();
    await pass(2_000);
    expect(textsOf(clients[0])).toEqual(["last"]);
    expect([...new Set(clients[0].map(({ ended }) => ended))]).toEqual(["closed"]);
    expect([...new Set(clients[1].map(({ ended }) => ended))]).toEqual(["stream-not-found"]);
    expect([closed.hubs.count, closed.sockets, removed.hubs.count, removed.sockets]).toEqual([0, 0, 0, 0]);
  });

  it("are limited by READERS_MAX in each isolate", async () => {
    const world = await newWorld({ READERS_MAX: "2" });
    const clients = await waiting(world, mode, 3);
    expect(clients.map(({ ended }) => ended)).toEqual([undefined, undefined, "readers-full"]);
    clients[0].leave();
    const next = new LiveClient(world, mode, "now");
    await pass(100);
    expect(next.ended).toBeUndefined();
  });
});

describe.each(MODES)("a reader over %s that comes after an acknowledged append", (mode) => {
  /** The frame of the append stays under way: the hub is behind. */
  async function behind(isOwnerAlive: boolean): Promise<{ world: LiveWorld; others: readonly LiveClient[] }> {
    const world = await newWorld();
    const [owner, ...others] = await waiting(world, mode, 3);
    if (!isOwnerAlive) owner.die();
    world.holdFrames();
    await world.append("new");
    return { world, others };
  }

  it.each([true, false])("sees it at the offset before it; the hub's owner is alive: %s", async (isOwnerAlive) => {
    const { world } = await behind(isOwnerAlive);
    const reader = new LiveClient(world, mode, world.offsetAt(0));
    await pass(100);
    expect(reader.text).toBe("new");
    expect(reader.upToDateAt).toBe(world.offsetAt(3));
  });

  it.each([true, false])("is at the tail at its offset; the hub's owner is alive: %s", async (isOwnerAlive) => {
    const { world } = await behind(isOwnerAlive);
    const readers = [new LiveClient(world, mode, world.offsetAt(3)), new LiveClient(world, mode, "now")];
    await pass(100);
    expect(readers.map(({ ended, text }) => [ended, text])).toEqual([
      [undefined, ""],
      [undefined, ""],
    ]);
    for (const { upToDateAt = world.offsetAt(3) } of readers) expect(upToDateAt).toBe(world.offsetAt(3));
    world.releaseFrames();
    await world.append("er");
    await pass(5_000);
    expect(readers.map(({ text }) => text)).toEqual(["er", "er"]);
  });

  it("learns of a close and of a deletion that were acknowledged", async () => {
    for (const end of ["close", "remove"] as const) {
      const world = await newWorld();
      await waiting(world, mode, 2);
      world.holdFrames();
      await world[end]();
      const reader = new LiveClient(world, mode, world.offsetOfStart);
      await pass(100);
      expect(reader.ended).toBe(end === "close" ? "closed" : "stream-not-found");
    }
  });
});

it("a long-poll whose time is over is not told that it is up to date by a hub that has lost its owner", async () => {
  const world = await newWorld({ LONG_POLL_TIMEOUT_MS: "1000" });
  const [owner] = await waiting(world, "long-poll", 2);
  owner.die();
  const poll = new LiveClient(world, "long-poll", world.offsetAt(0));
  await pass(600);
  // By another isolate.
  await world.append("new", false);
  await pass(10_000);
  expect(poll.text).toBe("new");
});

it("long-polls that come again and again need one channel, and few calls", async () => {
  const world = await newWorld({ LONG_POLL_TIMEOUT_MS: "3000" });
  const clients = await waiting(world, "long-poll", 50);
  for (let seconds = 0; seconds < 60; seconds += 1) {
    await world.append(`<${seconds}>`);
    await pass(1_000);
  }
  expect(textsOf(clients)).toEqual([world.content]);
  expect(world.sockets).toBe(1);
  expect(world.reads).toBe(0);
  // One every ten seconds.
  expect(world.attachments).toBeLessThanOrEqual(8);
});

it("the channel of long-polls is kept for 5 seconds, and not at all when the server is about to stop", async () => {
  const world = await newWorld({ LONG_POLL_TIMEOUT_MS: "1000" });
  const [poll] = await waiting(world, "long-poll", 1);
  poll.leave();
  await pass(1_500);
  expect(world.sockets).toBe(1);
  await pass(6_000);
  expect([world.sockets, world.hubs.count]).toEqual([0, 0]);
  const [other] = await waiting(world, "long-poll", 1);
  other.leave();
  await pass(1_500);
  expect(world.sockets).toBe(1);
  world.liveReads.end();
  await pass(10);
  expect([world.sockets, world.hubs.count]).toEqual([0, 0]);
});

it("a session that stalls gets the rest from memory, or reads it when that has moved on", async () => {
  const world = await newWorld();
  const [owner, slow, quick] = await waiting(world, "sse", 3);
  slow?.stall();
  for (let index = 0; index < 20; index += 1) await world.append(`<${index}${"x".repeat(100)}>`);
  await pass(100);
  expect(slow?.text.length).toBeLessThan(quick?.text.length ?? 0);
  slow?.resume();
  await pass(100);
  expect([slow?.text, world.reads]).toEqual([world.content, 0]);
  slow?.stall();
  for (let index = 0; index < 100; index += 1) await world.append(`<${index}${"y".repeat(100)}>`);
  await pass(100);
  slow?.resume();
  await pass(500);
  expect(textsOf([owner, slow as LiveClient, quick as LiveClient])).toEqual([world.content]);
  expect(world.reads).toBeGreaterThan(0);
});

it("where the project limits its live readers, each has a channel of its own, so that the object counts them", async () => {
  const world = await newWorld();
  world.limits = { liveReaders: 10 };
  await waiting(world, "sse", 3);
  expect(world.sockets).toBe(3);
});

it("a long-poll behind the tail is answered from memory, but not where retention may have let go of that", async () => {
  const reads: number[] = [];
  for (const retention of [KEEP_ALL, { ...KEEP_ALL, seconds: 60 }]) {
    const world = new LiveWorld(() => 0.5, { SSE_SESSION_SECONDS: "3600" });
    world.host.segments = new FakeSegmentStore();
    await world.create({ retention });
    await waiting(world, "sse", 2);
    await world.append("one");
    await pass(100);
    const poll = new LiveClient(world, "long-poll", world.offsetAt(0));
    await pass(100);
    expect(poll.text).toBe("one");
    reads.push(world.reads);
  }
  expect(reads).toEqual([0, 1]);
});

it("readers that died without a word do not count for ever", async () => {
  const world = await newWorld({ READERS_MAX: "3" });
  const [, second, third] = await waiting(world, "sse", 3);
  second?.die();
  third?.die();
  await pass(50_000);
  const clients = await waiting(world, "sse", 2);
  expect(clients.map(({ ended }) => ended)).toEqual([undefined, undefined]);
});
