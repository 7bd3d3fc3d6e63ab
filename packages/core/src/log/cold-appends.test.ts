import { concatBytes, patternBytes } from "@durable-streams-cloudflare/testkit";
import { FakeSegmentStore } from "@durable-streams-cloudflare/testkit/node-host";
import { expect, it } from "vitest";

import { NodeDatabase } from "../../test/node-database.ts";
import { createSchema, STREAM_SCHEMA } from "../stream/tables/schema.ts";
import { readColdAppends } from "./cold-appends.ts";
import { HotLog, type Appends } from "./hot-log.ts";
import { segmentSize } from "./segment-format.ts";
import { coldSlices, insertSegment, segmentKey } from "./segment-rows.ts";
import { encodeSegment, planSegments } from "./segment-writer.ts";

const STREAM = { name: "project/stream", incarnation: 1_800_000_000_000 };
const MIB = 1024 * 1024;

interface Commit {
  readonly sizes: readonly number[];
  readonly authors?: readonly (string | null)[];
}

/** What is delivered to followers of the same commits, first from the hot log, then from R2. */
async function hotAndCold(commits: readonly Commit[]): Promise<[Appends[], Appends[]]> {
  const database = new NodeDatabase(STREAM_SCHEMA);
  createSchema(database);
  const log = new HotLog(database);
  let tail = 0;
  for (const { sizes, authors } of commits) {
    let end = 0;
    const ends = sizes.map((size) => (end += size));
    const notes = { ...(sizes.length > 1 ? { ends } : {}), ...(authors === undefined ? {} : { authors }) };
    database.transaction(() => log.insertCommit(tail, patternBytes(end, tail), notes, 1));
    tail += end;
  }
  const hot = await takeAll(tail, async (from) => log.readAppends(from, tail, MIB / 4));
  log.seal(tail, () => undefined);
  const [table] = log.frozen;
  if (table === undefined) throw new Error("There is one.");
  const whole = { incarnation: STREAM.incarnation, bytesMax: Infinity };
  const [plan] = await planSegments(log, table, whole, async () => undefined);
  if (plan === undefined) throw new Error("There is one.");
  const store = new FakeSegmentStore();
  const key = segmentKey(STREAM.name, plan.range);
  await store.put(key, segmentSize(plan.blocks), encodeSegment(log, table, plan), AbortSignal.timeout(60_000));
  expect(store.objects.get(key)?.length).toBe(segmentSize(plan.blocks));
  log.dropOldest(() => insertSegment(database, { ...plan.range, committedAtMs: 1 }, plan.blocks));
  const cold = await takeAll(tail, (from) => readColdAppends(store, coldSlices(database, STREAM, from, tail), MIB / 4));
  return [hot, cold];
}

async function takeAll(tail: number, next: (from: number) => Promise<Appends>): Promise<Appends[]> {
  const taken: Appends[] = [];
  for (let from = 0; from < tail;) {
    const appends = await next(from);
    taken.push(appends);
    from += appends.bytes.length;
  }
  return taken;
}

/** Of all pages together. */
function authorsOfAll(pages: readonly Appends[]): unknown[] {
  return pages.flatMap(({ ends, authors }) => ends.map((_, index) => authors?.[index]));
}

function bytesOfAll(pages: readonly Appends[]): Uint8Array {
  return concatBytes(pages.map(({ bytes }) => bytes));
}

it("[AU1] [TI2] authors are the same from the hot log and from R2, also of appends that span rows and of such that only close", async () => {
  const commits: Commit[] = [
    { sizes: [3], authors: ["alice"] },
    { sizes: [3, 4, 5], authors: ["alice", null, "bob"] },
    { sizes: [3 * MIB], authors: ["carol"] },
    ...Array.from({ length: 600 }, (_, index) => ({ sizes: [700], authors: [index % 3 === 0 ? "alice" : null] })),
    { sizes: [9, 0], authors: ["dave", "eve"] },
  ];
  const expected = commits.flatMap(({ sizes, authors = [] }) => authors.filter((_, index) => sizes[index] !== 0));
  const [hot, cold] = await hotAndCold(commits);
  expect(authorsOfAll(hot)).toEqual(expected);
  expect(authorsOfAll(cold)).toEqual(expected);
  expect(bytesOfAll(cold)).toEqual(bytesOfAll(hot));
});

it("appends of very many rows come in order, as many as fit, whatever is read at once", async () => {
  const commits = Array.from({ length: 1_300 }, (_, index) => ({ sizes: [1, 2], authors: [`a${index}`, `b${index}`] }));
  const [hot, cold] = await hotAndCold(commits);
  const expected = commits.flatMap(({ authors }) => authors);
  expect(hot.map(({ ends }) => ends.length)).toEqual([2_048, 552]);
  expect(authorsOfAll(hot)).toEqual(expected);
  expect(authorsOfAll(cold)).toEqual(expected);
});

it("[AU1] a stream that records no authors has none, neither hot nor cold", async () => {
  const [hot, cold] = await hotAndCold([{ sizes: [3] }, { sizes: [3, 4, 5] }, { sizes: [MIB + 1] }]);
  for (const page of [...hot, ...cold]) expect(page.authors).toBeUndefined();
});

it("a block whose appends are all of different users stays bounded", async () => {
  const users = Array.from({ length: 6_000 }, (_, index) => `${index}`.padStart(256, "u"));
  const commits = Array.from({ length: 12 }, (_, commit) => ({
    sizes: Array.from({ length: 500 }, () => 1),
    authors: users.slice(commit * 500, commit * 500 + 500),
  }));
  const [hot, cold] = await hotAndCold(commits);
  expect(authorsOfAll(hot)).toEqual(users);
  expect(authorsOfAll(cold)).toEqual(users);
});
