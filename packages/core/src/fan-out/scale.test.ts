import type { Result } from "@durable-streams-cloudflare/protocol";
import { FakeHost, settled } from "@durable-streams-cloudflare/testkit/node-host";
import { expect, it } from "vitest";

import { NodeDatabase } from "../../test/node-database.ts";
import { START_MS } from "../../test/stream-fixture.ts";
import type { DeliverCommand, DeliverResult, PullCommand, ShardRef, SourceApi } from "../contracts/fan-out.ts";
import { Foreground, HELD_MS_MAX } from "../kit/yield.ts";
import { BURST_MAX } from "./delivery/pacer.ts";
import { serveShard } from "./delivery/shard-dispatcher.ts";
import { SHARD_SESSIONS } from "./delivery/shards.ts";
import { FollowerSet } from "./source/follower-set.ts";
import type { FollowerSetHost } from "./source/host.ts";
import { LINK_SCHEMA } from "./source/tables.ts";

const FOLLOWERS = 10_000;
const APPEND_BYTES = 100;
const TURN_DELIVERIES_MAX = 512 + 128;
const CALLS_MAX = 32;
const SHARDS_PER_SEND_MAX = 100;
/** So that there are more shards than a queue takes at once. */
const SESSIONS_PER_SHARD = SHARD_SESSIONS / 2;

const APPEND_MS = 1;
const DELIVERY_MS = 1;
/** What it takes the event loop to look at everything. */
const LOOP_TURN_MS = 0.05;
const PUBLISHING_MS = 1_000;
/** Appends until it is known that they come again and again. */
const WARM_UP_APPENDS = 3;

const NEVER = new Promise<never>(() => undefined);

/** Sessions that keep a mark each, as the real ones do, and count. */
class Sessions {
  readonly marks = new Map<string, number>();
  /** Bytes that each has taken. */
  readonly taken = new Map<string, number>();
  calls = 0;
  /** Calls since others had their turn, and the most there ever were. */
  sincePause = 0;
  sincePauseMost = 0;
  underWay = 0;
  underWayMost = 0;
  bytesUnderWayMost = 0;
  /** What to do when so many calls have been made. */
  onCall: (calls: number) => void = () => undefined;

  async deliver(session: string, command: DeliverCommand): Promise<Result<DeliverResult>> {
    this.calls += 1;
    this.sincePause += 1;
    this.sincePauseMost = Math.max(this.sincePauseMost, this.sincePause);
    this.underWay += 1;
    this.underWayMost = Math.max(this.underWayMost, this.underWay);
    this.bytesUnderWayMost = Math.max(this.bytesUnderWayMost, this.underWay * command.bytes.length);
    await Promise.resolve();
    this.underWay -= 1;
    this.onCall(this.calls);
    const mark = this.marks.get(session) ?? command.start;
    if (command.from !== mark) return { ok: true, position: mark, isOver: false };
    this.marks.set(session, command.to);
    this.taken.set(session, (this.taken.get(session) ?? 0) + command.bytes.length);
    return { ok: true, position: command.to, isOver: false };
  }
}

/** A source that has appends of a hundred bytes. */
function sourceOf(tail: () => number): SourceApi {
  return {
    follow: async () => ({ ok: true, incarnation: 1, contentType: "text/plain", position: 0, offset: "0" }),
    unfollow: async () => undefined,
    pull: async ({ incarnation, from, to }: PullCommand) => {
      if (incarnation !== 1) return { ok: false, problem: { code: "offset-gone", detail: "" } };
      const size = Math.max(0, Math.min(to ?? tail(), tail()) - from);
      const ends = Array.from({ length: size / APPEND_BYTES }, (_, index) => (index + 1) * APPEND_BYTES);
      return {
        ok: true,
        begin: from,
        bytes: new Uint8Array(size),
        ends,
        cold: [],
        stretch: undefined,
        tail: tail(),
        closed: false,
      };
    },
  };
}

async function followAll(set: FollowerSet, followers = FOLLOWERS): Promise<void> {
  for (let index = 0; index < followers; index += 1) {
    const link = { session: `p/s${index}`, sessionIncarnation: 1, sessionContentType: "text/plain", link: 2 } as const;
    await set.link({ ...link, format: "raw", from: { kind: "now" }, untilMs: Infinity });
  }
}

it(`[FO4] [IN14] one publish reaches ${FOLLOWERS} sessions in turns of bounded work, also when the object dies half-way`, async () => {
  const base = new FakeHost(() => undefined, new NodeDatabase(LINK_SCHEMA), START_MS, "p/source");
  const sessions = new Sessions();
  let tail = 0;
  let instance = { isOver: false };
  const boot = (): FollowerSet => {
    const own = (instance = { isOver: false });
    sessions.sincePause = 0;
    const host: FollowerSetHost = {
      name: base.name,
      database: base.database,
      segments: undefined,
      stream: () => sourceOf(() => tail),
      session: (name) => ({
        deliver: async (command) => {
          const answer = await sessions.deliver(name, command);
          // What a dead object had under way never goes on.
          return own.isOver ? NEVER : answer;
        },
      }),
      now: () => base.nowMs,
      pause: async () => {
        await settled();
        sessions.sincePause = 0;
        return false;
      },
      owner: () => ({ linkEnded: async () => undefined }),
      sync: async () => undefined,
      purge: () => base.purge(),
      setAlarm: (atMs) => base.setAlarm(atMs),
      clearAlarm: () => base.clearAlarm(),
      report: (_, error) => {
        throw error;
      },
    };
    return new FollowerSet(host, { shardedAbove: Infinity, shardSessions: SHARD_SESSIONS });
  };
  let followers = boot();
  await followAll(followers);
  tail = APPEND_BYTES;
  const rowsBefore = base.database.rowsWritten;
  let hasDied = false;
  const death = Promise.withResolvers<boolean>();
  sessions.onCall = (calls) => {
    if (calls < FOLLOWERS / 2 || hasDied) return;
    hasDied = true;
    instance.isOver = true;
    death.resolve(true);
  };
  let turns = 0;
  while (sessions.marks.size < FOLLOWERS) {
    const before = sessions.calls;
    turns += 1;
    await (hasDied ? followers.alarm() : Promise.race([followers.alarm(), death.promise]));
    if (instance.isOver) followers = boot();
    expect(sessions.calls - before).toBeLessThanOrEqual(TURN_DELIVERIES_MAX);
    expect(turns).toBeLessThan(FOLLOWERS);
  }
  const rows = base.database.rowsWritten - rowsBefore;
  expect([...sessions.taken.values()].every((bytes) => bytes === APPEND_BYTES)).toBe(true);
  expect(sessions.taken.size).toBe(FOLLOWERS);
  expect(sessions.sincePauseMost).toBeLessThanOrEqual(BURST_MAX);
  expect(sessions.underWayMost).toBeLessThanOrEqual(CALLS_MAX);
  // After its death it does not know how far the last batch had got.
  expect(sessions.calls).toBeGreaterThan(FOLLOWERS);
  expect(sessions.calls / FOLLOWERS).toBeLessThan(1.02);
  expect(rows / FOLLOWERS).toBeLessThan(0.02);
});

it(`[FO5] [IN14] through the queue it reaches ${FOLLOWERS} sessions in shards of bounded work, and the object calls none of them`, async () => {
  const base = new FakeHost(() => undefined, new NodeDatabase(LINK_SCHEMA), START_MS, "p/source");
  const sessions = new Sessions();
  const queue: ShardRef[] = [];
  const sends: number[] = [];
  let tail = 0;
  let pulls = 0;
  let asked = 0;
  const ports = {
    segments: undefined,
    stream: () => {
      pulls += 1;
      return sourceOf(() => tail);
    },
    now: () => base.nowMs,
    pause: () => Promise.resolve(false),
  };
  const followers = new FollowerSet(
    {
      ...ports,
      name: base.name,
      database: base.database,
      session: () => {
        throw new Error("The object delivers by itself.");
      },
      shards: {
        send: async (refs) => {
          sends.push(refs.length);
          queue.push(...refs);
        },
      },
      owner: () => ({ linkEnded: async () => undefined }),
      sync: async () => undefined,
      purge: () => base.purge(),
      setAlarm: (atMs) => base.setAlarm(atMs),
      clearAlarm: () => base.clearAlarm(),
      report: (_, error) => {
        throw error;
      },
    },
    { shardedAbove: 512, shardSessions: SESSIONS_PER_SHARD },
  );
  await followAll(followers);
  tail = APPEND_BYTES;
  const rowsBefore = base.database.rowsWritten;
  const shards = Math.ceil(FOLLOWERS / SESSIONS_PER_SHARD);
  for (let turns = 1; queue.length < shards; turns += 1) {
    await followers.alarm();
    // One call of the queue a turn.
    expect(sends).toHaveLength(turns);
  }
  expect(queue).toHaveLength(shards);
  expect(sends).toEqual([SHARDS_PER_SEND_MAX, shards - SHARDS_PER_SEND_MAX]);
  const host = {
    ...ports,
    followers: () => ({
      shard: async (ref: ShardRef) => {
        asked += 1;
        return followers.shard(ref);
      },
      shardServed: async (...served: Parameters<FollowerSet["shardServed"]>) => {
        asked += 1;
        followers.shardServed(...served);
      },
    }),
    session: (name: string) => ({ deliver: (command: DeliverCommand) => sessions.deliver(name, command) }),
  };
  for (const ref of queue) {
    const [calls, pullsBefore, askedBefore] = [sessions.calls, pulls, asked];
    await serveShard(host, ref);
    expect(asked - askedBefore).toBe(2);
    expect(sessions.calls - calls).toBeLessThanOrEqual(SESSIONS_PER_SHARD);
    expect(pulls - pullsBefore).toBe(1);
  }
  expect(sessions.calls).toBe(FOLLOWERS);
  expect([...sessions.taken.values()].every((bytes) => bytes === APPEND_BYTES)).toBe(true);
  expect(sessions.underWayMost).toBeLessThanOrEqual(CALLS_MAX);
  expect((base.database.rowsWritten - rowsBefore) / shards).toBeLessThan(1.1);
});

/** One thread does everything, as on one machine: it looks at its socket only when nothing else is left to do. */
class OneThread {
  nowMs = START_MS;
  /** What has begun, and is done before the thread looks at its socket again. */
  workMs = 0;
  readonly foreground = new Foreground({ now: () => Math.floor(this.nowMs), wait: (ms) => this.#wait(ms) });
  /** Of each append, from when it came until it was answered. */
  readonly latencies: number[] = [];
  readonly #next: (arrivedAtMs: number, answeredAtMs: number) => number;
  #comesAtMs: number;

  /** @param next when the publisher sends its next append. */
  constructor(next: (arrivedAtMs: number, answeredAtMs: number) => number) {
    this.#next = next;
    this.#comesAtMs = next(START_MS, START_MS);
  }

  async #wait(ms: number): Promise<void> {
    await settled();
    const untilMs = this.nowMs + Math.max(ms, LOOP_TURN_MS);
    this.nowMs += this.workMs;
    this.workMs = 0;
    while (this.#comesAtMs <= Math.max(untilMs, this.nowMs)) this.#append();
    this.nowMs = Math.max(untilMs, this.nowMs);
  }

  #append(): void {
    const arrivedAtMs = this.#comesAtMs;
    this.nowMs = Math.max(this.nowMs, arrivedAtMs);
    this.foreground.appendStarted();
    this.nowMs += APPEND_MS;
    this.foreground.appendFinished();
    this.latencies.push(this.nowMs - arrivedAtMs);
    this.#comesAtMs = this.#next(arrivedAtMs, this.nowMs);
  }
}

/** What a publisher and its followers get of one thread, in so many ms of it. */
async function publishTo(followers: number, next: ConstructorParameters<typeof OneThread>[0]) {
  const thread = new OneThread(next);
  const base = new FakeHost(() => undefined, new NodeDatabase(LINK_SCHEMA), START_MS, "p/source");
  const sessions = new Sessions();
  const host: FollowerSetHost = {
    name: base.name,
    database: base.database,
    segments: undefined,
    stream: () => sourceOf(() => thread.latencies.length * APPEND_BYTES),
    session: (name) => ({
      deliver: (command) => {
        thread.workMs += DELIVERY_MS;
        return sessions.deliver(name, command);
      },
    }),
    now: () => Math.floor(thread.nowMs),
    pause: (ms) => thread.foreground.yieldToAppends(ms),
    owner: () => ({ linkEnded: async () => undefined }),
    sync: async () => undefined,
    purge: () => base.purge(),
    setAlarm: (atMs) => base.setAlarm(atMs),
    clearAlarm: () => base.clearAlarm(),
    report: (_, error) => {
      throw error;
    },
  };
  const set = new FollowerSet(host, { shardedAbove: Infinity, shardSessions: SHARD_SESSIONS });
  await followAll(set, followers);
  while (thread.nowMs < START_MS + PUBLISHING_MS) {
    set.notify({ incarnation: 1, tail: thread.latencies.length * APPEND_BYTES, closed: false });
    if (base.alarmAtMs === undefined) await host.pause();
    else await set.alarm();
  }
  const sorted = thread.latencies.slice(WARM_UP_APPENDS).toSorted((a, b) => a - b);
  const quantile = (part: number): number => sorted[Math.floor(sorted.length * part)] ?? Infinity;
  return {
    p50: quantile(0.5),
    p99: quantile(0.99),
    max: sorted.at(-1) ?? Infinity,
    perSecond: (1_000 * sessions.calls) / (thread.nowMs - START_MS),
  };
}

/** Sends about so often, and not in step with anything. */
function every(ms: number): ConstructorParameters<typeof OneThread>[0] {
  let count = 0;
  return (arrivedAtMs) => arrivedAtMs + ms * (0.5 + ((count++ * GOLDEN_RATIO) % 1));
}

const GOLDEN_RATIO = 0.618_033_988_75;

it.each([
  { publisher: "sends the next append when it has its answer", nextOf: () => (_: number, at: number) => at + 0.3 },
  { publisher: "sends fifty appends a second", nextOf: () => every(20) },
  { publisher: "sends two hundred appends a second", nextOf: () => every(5) },
])("[FO4] a publisher that $publisher feels no more of 1,000 followers than of one", async ({ nextOf }) => {
  const one = await publishTo(1, nextOf());
  const many = await publishTo(1_000, nextOf());
  expect(many.p50 / one.p50).toBeLessThanOrEqual(1.15);
  expect(many.p99 / one.p99).toBeLessThanOrEqual(2);
  // It never waits for more than one of them.
  expect(many.max).toBeLessThanOrEqual(APPEND_MS + DELIVERY_MS + LOOP_TURN_MS + 0.001);
  expect(many.perSecond).toBeGreaterThan(1_000 / (HELD_MS_MAX + 2 * (APPEND_MS + DELIVERY_MS)));
});
