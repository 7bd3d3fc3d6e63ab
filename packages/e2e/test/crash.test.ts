/** `kill -9` of the server under 64 concurrent writers, again and again on the same data. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterEach, beforeEach, expect, it } from "vitest";

import { faultsOf, type Entry, type Promised } from "../src/crash-ledger.ts";
import { FollowedRecreatingWriter, FollowingSession } from "../src/crash-sessions.ts";
import {
  ClosingWriter,
  ForkingWriter,
  PlainWriter,
  ProducerWriter,
  RecreatingWriter,
  type Round,
} from "../src/crash-writers.ts";
import { slices } from "../src/payloads.ts";
import { append, create, get, JSON_TYPE, nextOffset } from "../src/requests.ts";
import { segmentFiles } from "../src/stored.ts";

/** `npm run test:crash` and `test:soak` ask for more. */
const ROUNDS = Number(process.env["CRASH_ROUNDS"] ?? 5);
const TEST_MS_MAX = 30_000 * ROUNDS;
/** Plain writers of each stream, and as many producers. With the closing writers they are 64. */
const WRITERS: Readonly<Record<string, number>> = { hot: 16, a: 2, b: 2, c: 2, d: 2, e: 2, f: 2 };
const CLOSING_WRITERS = 8;
/** Besides those 64. */
const FORKING_WRITERS = 2;
const RECREATING_WRITERS = 4;
/** Of streams that a session follows. */
const FOLLOWED_WRITERS = 4;
/** Sessions that follow sources from their beginning, while the sources have nothing yet. */
const SESSIONS: Readonly<Record<string, readonly string[]>> = { all: Object.keys(WRITERS), some: ["hot", "a"] };
/** So many more in each round begin to follow while the writers write. */
const LATE_SESSIONS = 3;
/** So small that the streams move to cold segments meanwhile. */
const VARS = { SEGMENT_BYTES: 65_536, SEGMENT_BYTES_MIN: 1 };

let dataDir: string;
let server: ServerProcess | undefined;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "crash-"));
});

afterEach(async () => {
  await server?.kill9();
  rmSync(dataDir, { recursive: true, force: true });
});

/** Everything that was promised in all runs so far. */
class Promises {
  readonly #producers = new Map<string, readonly ProducerWriter[]>();
  readonly #plain = new Map<string, PlainWriter[]>();
  readonly closing: ClosingWriter[] = [];
  readonly forking: ForkingWriter[] = [];
  readonly recreating: RecreatingWriter[] = [];
  readonly followed = range(FOLLOWED_WRITERS, (index) => new FollowedRecreatingWriter(`followed-${index}`));
  readonly sessions: FollowingSession[] = [];

  constructor() {
    for (const [stream, count] of Object.entries(WRITERS)) {
      this.#producers.set(
        stream,
        range(count, (index) => new ProducerWriter(`producer-${stream}-${index}`)),
      );
      this.#plain.set(stream, []);
    }
  }

  producersOf(stream: string): readonly ProducerWriter[] {
    return this.#producers.get(stream) ?? [];
  }

  newPlainWriters(stream: string, round: number): readonly PlainWriter[] {
    const writers = range(WRITERS[stream] ?? 0, (index) => new PlainWriter(`plain-${stream}-${round}-${index}`));
    this.#plain.get(stream)?.push(...writers);
    return writers;
  }

  newClosingWriter(): ClosingWriter {
    const writer = new ClosingWriter(`closing-${this.closing.length}`);
    this.closing.push(writer);
    return writer;
  }

  newForkingWriter(): ForkingWriter {
    const writer = new ForkingWriter(`forking-${this.forking.length}`);
    this.forking.push(writer);
    return writer;
  }

  newRecreatingWriter(): RecreatingWriter {
    const writer = new RecreatingWriter(`recreating-${this.recreating.length}`);
    this.recreating.push(writer);
    return writer;
  }

  newSession(name: string): FollowingSession {
    const session = new FollowingSession(name);
    this.sessions.push(session);
    return session;
  }

  of(stream: string): readonly Promised[] {
    return [...this.producersOf(stream), ...(this.#plain.get(stream) ?? [])];
  }
}

/** Follows one stream from run to run: nobody may have seen what a crash then takes away. */
class Reader {
  readonly seen: Entry[] = [];
  #offset = "-1";

  async run({ url }: Round, stream: string): Promise<void> {
    for (;;) {
      const answer = await get(`${url}/${stream}?offset=${this.#offset}&live=long-poll`).catch(() => undefined);
      if (answer === undefined) return;
      if (answer.status !== 200) throw new Error(`the reader got ${answer.status}: ${answer.text}`);
      this.seen.push(...(JSON.parse(answer.text) as Entry[]));
      this.#offset = nextOffset(answer);
    }
  }
}

/** Runs all writers until `acknowledgements` have come, then kills the server under them. */
async function crashUnderLoad(
  running: ServerProcess,
  { promises, reader, round }: { promises: Promises; reader: Reader; round: number },
): Promise<void> {
  let kill: Promise<void> | undefined;
  let acknowledged = 0;
  const life: Round = {
    url: rootOf(running),
    onAcknowledged: () => {
      acknowledged += 1;
      if (acknowledged === 400 + 50 * round) kill = running.kill9();
    },
  };
  const writing = Object.keys(WRITERS).flatMap((stream) =>
    [...promises.producersOf(stream), ...promises.newPlainWriters(stream, round)].map((it) => it.run(life, stream)),
  );
  const closing = range(CLOSING_WRITERS, async () => {
    while (await promises.newClosingWriter().run(life));
  });
  expect(writing.length + closing.length).toBe(64);
  const forking = range(FORKING_WRITERS, async () => {
    while (await promises.newForkingWriter().run(life, "hot"));
  });
  const recreating = range(RECREATING_WRITERS, () => promises.newRecreatingWriter().run(life));
  const following = range(LATE_SESSIONS, async (index) => {
    const session = promises.newSession(`late-${round}-${index}`);
    if (await session.follow(life, "hot", "-1")) await session.follow(life, "a", "now");
  });
  const followed = promises.followed.map((writer) => writer.run(life));
  const others = [...forking, ...recreating, ...following, ...followed];
  await Promise.all([...writing, ...closing, ...others, reader.run(life, "hot")]);
  await kill;
}

async function expectKept(url: string, promises: Promises, reader: Reader): Promise<void> {
  for (const stream of Object.keys(WRITERS)) {
    const entries = await readAll(`${url}/${stream}`);
    expect({ stream, faults: faultsOf(entries, promises.of(stream)) }).toEqual({ stream, faults: [] });
  }
  expect((await readAll(`${url}/hot`)).slice(0, reader.seen.length)).toEqual(reader.seen);
}

async function expectClosed(url: string, writers: readonly ClosingWriter[]): Promise<void> {
  for (const some of slices(writers, 32)) {
    await Promise.all(some.map((writer) => expectClosedOrNot(`${url}/${writer.writer}`, writer)));
  }
}

/** The last append and the close are one: both are there, or neither. */
async function expectClosedOrNot(url: string, writer: ClosingWriter): Promise<void> {
  const answer = await get(`${url}?offset=-1`);
  if (answer.status === 404 && writer.acknowledged === 0) return;
  expect(answer.status).toBe(200);
  const entries = JSON.parse(answer.text) as Entry[];
  expect(faultsOf(entries, [writer])).toEqual([]);
  expect(answer.headers.get("Stream-Closed") === "true").toBe(entries.length === 4);
  if (writer.wasClosed) expect((await append(url, "[0]", JSON_TYPE)).status).toBe(409);
}

/** A fork is what its source was when it was made, and then what was appended to it. */
async function expectForks(url: string, writers: readonly ForkingWriter[]): Promise<void> {
  const source = await readAll(`${url}/hot`);
  for (const writer of writers) {
    const answer = await get(`${url}/${writer.writer}?offset=-1`);
    if (answer.status === 404 && !writer.isCreated) continue;
    const entries = JSON.parse(answer.text) as Entry[];
    const own = entries.filter((entry) => entry.writer === writer.writer);
    const inherited = entries.slice(0, entries.length - own.length);
    expect({ inherited, faults: faultsOf(own, [writer]) }).toEqual({
      inherited: source.slice(0, inherited.length),
      faults: [],
    });
  }
}

/** The last request was carried out, or it was not. */
async function expectRecreated(url: string, writers: readonly RecreatingWriter[]): Promise<void> {
  for (const writer of writers) {
    const { status, text } = await get(`${url}/${writer.writer}?offset=-1`);
    const { acknowledged } = writer;
    const content = status === 404 ? undefined : text;
    expect([writer.contentAfter(acknowledged), writer.contentAfter(acknowledged + 1)]).toContain(content);
  }
}

/** Every session has exactly what its sources have, in their order, and soon. */
async function expectDelivered(url: string, promises: Promises, sessions: readonly FollowingSession[]): Promise<void> {
  const round: Round = { url, onAcknowledged: () => undefined };
  for (const some of slices([...sessions, ...promises.followed], 16)) {
    expect((await Promise.all(some.map((each) => each.faults(round)))).flat()).toEqual([]);
  }
}

async function readAll(url: string): Promise<Entry[]> {
  const answer = await get(`${url}?offset=-1`);
  expect(answer.status).toBe(200);
  return JSON.parse(answer.text) as Entry[];
}

function range<Item>(count: number, make: (index: number) => Item): Item[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

function rootOf({ url }: ServerProcess): string {
  return `${url}/v1/stream`;
}

it(
  "[IN1] [IN2] [IN3] [IN6] [IN10] [IN14] [DU1] kill -9 loses, repeats and reorders nothing that was acknowledged, stores nothing in part, and no session lacks any of it",
  async () => {
    const promises = new Promises();
    const reader = new Reader();
    server = await startServer({ dataDir, vars: VARS });
    for (const stream of Object.keys(WRITERS)) await create(`${rootOf(server)}/${stream}`, { headers: JSON_TYPE });
    const atFirst: Round = { url: rootOf(server), onAcknowledged: () => undefined };
    for (const [name, sources] of Object.entries(SESSIONS)) {
      const session = promises.newSession(`session-${name}`);
      for (const source of sources) await session.follow(atFirst, source, "-1");
    }
    const lasting = [...promises.sessions];
    for (let round = 0; round < ROUNDS; round += 1) {
      const closingBefore = promises.closing.length;
      const forkingBefore = promises.forking.length;
      const recreatingBefore = promises.recreating.length;
      const sessionsBefore = promises.sessions.length;
      await crashUnderLoad(server, { promises, reader, round });
      server = await startServer({ dataDir, vars: VARS });
      await expectKept(rootOf(server), promises, reader);
      await expectClosed(rootOf(server), promises.closing.slice(closingBefore));
      await expectForks(rootOf(server), promises.forking.slice(forkingBefore));
      await expectRecreated(rootOf(server), promises.recreating.slice(recreatingBefore));
      await expectDelivered(rootOf(server), promises, [...lasting, ...promises.sessions.slice(sessionsBefore)]);
    }
    await expectDelivered(rootOf(server), promises, promises.sessions);
    await expectClosed(rootOf(server), promises.closing);
    const repeated = Object.keys(WRITERS).flatMap((stream) =>
      promises.producersOf(stream).flatMap((it) => it.repeated),
    );
    expect(new Set(repeated)).toEqual(new Set([204]));
    expect(promises.closing.some(({ wasClosed }) => wasClosed)).toBe(true);
    expect(promises.forking.some(({ acknowledged }) => acknowledged > 0)).toBe(true);
    expect(promises.recreating.some(({ acknowledged }) => acknowledged > 3)).toBe(true);
    expect(promises.followed.some(({ acknowledged }) => acknowledged > 4)).toBe(true);
    expect(segmentFiles(dataDir).length).toBeGreaterThan(0);
  },
  TEST_MS_MAX,
);
