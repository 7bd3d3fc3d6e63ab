/** What is not durable comes out of no door: reads, live reads, forks, sessions, subscriptions, webhooks, the directory. */

import { expect, it, vi } from "vitest";

import { Doors, ofTheFuture } from "./testing/doors.ts";
import { fence } from "./testing/fence.ts";
import { HeldServer } from "./testing/held-server.ts";
import { randomOf } from "./testing/random.ts";

const JSON_TYPE = { "Content-Type": "application/json" };
const SETTINGS = { WEBHOOK_LOOPBACK: "allow", LONG_POLL_TIMEOUT_MS: "1000" };
const SOURCES = ["a", "b"];
const ROUNDS = 3;

/** Writes something, in one of several ways. @returns the answer's status, and what it should be. */
function write(server: HeldServer, way: number, mark: string): Promise<number> {
  const source = SOURCES[way % 2] as string;
  const body = JSON.stringify(mark);
  const append = async (): Promise<number> => (await server.post(source, body, JSON_TYPE)).status;
  const create = async (headers: Record<string, string> = {}): Promise<number> =>
    (await server.put(`new-${mark}`, { ...JSON_TYPE, ...headers }, body)).status;
  if (way < 4) return append();
  return way === 4 ? create() : create({ "Stream-Forked-From": `/v1/stream/${source}` });
}

/** Waits until a session and a webhook were told of all that was appended. */
async function delivered(server: HeldServer, doors: Doors, marks: readonly string[]): Promise<void> {
  const tails = new Map<string, string | null>();
  for (const source of SOURCES) {
    tails.set(source, (await fetch(server.url(source), { method: "HEAD" })).headers.get("Stream-Next-Offset"));
  }
  await vi.waitFor(
    async () => {
      const session = await server.text("me");
      expect(marks.filter((mark) => session.split(JSON.stringify(mark)).length !== 2)).toEqual([]);
      for (const [, tail] of tails) expect(doors.webhooks.some((text) => text.includes(String(tail)))).toBe(true);
      const directory = await (await fetch(`${server.server.url}/v1/projects/default/streams`)).text();
      expect(directory).toContain('"a"');
    },
    { timeout: 20_000, interval: 20 },
  );
}

it.each([1, 2, 3, 4, 5, 6])(
  "[IN8] nothing comes out of any door before it is durable, and everything does afterwards (seed %i)",
  { timeout: 60_000 },
  async (seed) => {
    const random = randomOf(seed);
    await using server = await HeldServer.start({ settings: SETTINGS });
    await using doors = await Doors.open(server);
    const appended: string[] = [];
    for (const source of SOURCES) {
      const mark = `first-${source}`;
      appended.push(mark);
      expect((await server.post(source, JSON.stringify(mark), JSON_TYPE)).status).toBe(204);
    }
    await delivered(server, doors, appended);
    for (let round = 0; round < ROUNDS; round += 1) {
      const known = await doors.hold();
      const writes: Promise<number>[] = [];
      const marks: string[] = [];
      for (let count = 0, all = 1 + random(5); count < all; count += 1) {
        const mark = `mark-${round}-${count}`;
        const way = count === 0 ? random(2) : random(6);
        marks.push(mark);
        if (way < 4) appended.push(mark);
        writes.push(write(server, way, mark));
        // In order of their sending, some in one transaction with the one before.
        if (random(2) === 0) await fence(server);
      }
      await server.isHeld();
      const look = doors.look(known);
      await fence(server);
      expect(ofTheFuture([...look.seen, ...doors.standing()], known, marks)).toEqual([]);
      server.release();
      expect((await Promise.all(writes)).every((status) => status === 204 || status === 201)).toBe(true);
      await look.answered;
      expect(look.seen.length).toBeGreaterThan(20);
      await delivered(server, doors, appended);
      expect(doors.standing().filter(({ text }) => marks.some((mark) => text.includes(mark))).length).toBeGreaterThan(
        1,
      );
    }
    expect(server.fatal).toEqual([]);
  },
);

it.each([0, 1, 2, 3, 4, 5, 6, 7])(
  "[IN8] [IN13] [IN14] what was seen before a power cut is true after it, and no wake has the generation of another (after %i syncs)",
  { timeout: 60_000 },
  async (syncs) => {
    await using server = await HeldServer.start({ settings: SETTINGS });
    await using doors = await Doors.open(server);
    const marks = ["first-a", "first-b"];
    for (const mark of marks) await server.post(mark.slice(-1), JSON.stringify(mark), JSON_TYPE);
    await delivered(server, doors, marks);
    const known = await doors.hold();
    server.keepSnapshots();
    server.hold(syncs);
    const all = [...marks, "second-a", "second-b"];
    const appended = Promise.allSettled(
      ["a", "b"].map((source) => server.post(source, JSON.stringify(`second-${source}`), JSON_TYPE)),
    );
    await Promise.race([server.isHeld(), delivered(server, doors, all).catch(() => undefined)]);
    // What leaves too early would arrive by now.
    for (let pass = 0; pass < 3; pass += 1) await fence(server);
    const seen = new Map(doors.standing().map(({ door, text }) => [door, text]));
    const sent = [...doors.webhooks];
    await using after = await server.cutPower(SETTINGS);
    await appended;
    for (const stream of known.keys()) {
      const stored = await after.text(stream);
      const shown = seen.get(`SSE ${stream}`)?.match(/"(?:first|second)-.|"ts":\d+/g) ?? [];
      expect(shown.filter((message) => !stored.includes(message))).toEqual([]);
    }
    for (const source of ["a", "b"]) await after.post(source, JSON.stringify(`third-${source}`), JSON_TYPE);
    await delivered(after, doors, ["third-a", "third-b"]);
    const wakes = new Map<number, string>();
    for (const text of [...sent, ...doors.webhooks]) {
      const { generation, wake_id: wake } = JSON.parse(text) as { generation: number; wake_id: string };
      expect({ generation, wake: wakes.get(generation) ?? wake }).toEqual({ generation, wake });
      wakes.set(generation, wake);
    }
  },
);

it.each([1, 2, 3, 4])(
  "[IN8] of what is lost nothing comes out of any door, and streams go on where they were (seed %i)",
  { timeout: 60_000 },
  async (seed) => {
    const random = randomOf(seed);
    await using server = await HeldServer.start({ settings: SETTINGS });
    await using doors = await Doors.open(server);
    const marks = ["first-a", "first-b"];
    for (const mark of marks) await server.post(mark.slice(-1), JSON.stringify(mark), JSON_TYPE);
    await delivered(server, doors, marks);
    const known = await doors.hold();
    server.refuseCommits(Infinity);
    server.release();
    const lost = ["mark-0", "mark-1", "mark-2", "mark-3"];
    const writes = lost.map((mark, at) => write(server, at === 0 ? random(2) : random(6), mark));
    const look = doors.look(known);
    expect(await Promise.all(writes)).toEqual(lost.map(() => 503));
    await look.answered;
    expect(ofTheFuture([...look.seen, ...doors.standing()], known, lost)).toEqual([]);
    server.refuseCommits(0);
    for (const source of SOURCES) {
      expect((await server.post(source, JSON.stringify(`next-${source}`), JSON_TYPE)).status).toBe(204);
      const tail = await fetch(`${server.url(source)}?offset=${known.get(source)}`);
      expect(await tail.json()).toEqual([`next-${source}`]);
    }
    await delivered(server, doors, [...marks, "next-a", "next-b"]);
    expect([await server.text("me"), server.fatal].join("")).not.toContain("mark-");
  },
);
