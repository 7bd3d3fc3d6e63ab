import { expect, it } from "vitest";

import { NodeDatabase } from "../../test/node-database.ts";
import { createSchema, STREAM_SCHEMA } from "../stream/tables/schema.ts";
import { HotLog } from "./hot-log.ts";
import { ROW_BYTES_MAX } from "./log-rows.ts";
import { planSegments, withBreaks } from "./segment-writer.ts";

const KIB = 1024;

async function* chunksOf(sizes: readonly number[]): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  let next = 0;
  for (const size of sizes) yield Uint8Array.from({ length: size }, () => (next += 1));
}

/** All that comes out, and how many bytes between one break and the next. In each break so many bytes are appended. */
async function take(
  sizes: readonly number[],
  { waiting = 0, appended = 1 } = {},
): Promise<{ bytes: Buffer; turns: number[] }> {
  const turns = [0];
  let bytesWaiting = waiting;
  const nextTurn = async (): Promise<void> => {
    turns.push(0);
    bytesWaiting += appended;
  };
  const parts: Uint8Array[] = [];
  for await (const part of withBreaks(chunksOf(sizes), () => bytesWaiting, nextTurn)) {
    parts.push(part);
    turns.push((turns.pop() ?? 0) + part.length);
  }
  return { bytes: Buffer.concat(parts), turns };
}

it("gives the same bytes, with breaks less than 64 KiB apart", async () => {
  const { bytes, turns } = await take([40, 150 * KIB, 70 * KIB, 56]);
  const whole = Buffer.from(Uint8Array.from({ length: 220 * KIB + 96 }, (_, index) => index + 1));
  expect(bytes.equals(whole)).toBe(true);
  expect(Math.max(...turns)).toBeLessThan(64 * KIB);
});

it.each([
  { waiting: 0, largest: 32 },
  { waiting: 4, largest: 64 },
  { waiting: 12, largest: 256 },
  { waiting: 20, largest: 1_024 },
  { waiting: 10_000, largest: 1_024 },
])("hands over $largest KiB between two breaks while $waiting MiB wait", async ({ waiting, largest }) => {
  const blocks = Array.from({ length: 9 }, () => 256 * KIB);
  const { turns } = await take(blocks, { waiting: waiting * KIB * KIB });
  expect(Math.max(...turns)).toBe(largest * KIB);
});

it("hands over more, up to a limit, as long as nobody appends", async () => {
  const blocks = Array.from({ length: 12 }, () => 256 * KIB);
  const { turns } = await take(blocks, { appended: 0 });
  const times = (count: number, kib: number): number[] => Array.from({ length: count }, () => kib * KIB);
  expect(turns.slice(0, 28)).toEqual([...times(8, 32), ...times(8, 64), ...times(8, 128), ...times(4, 256)]);
});

/** Where the segments of a table end that has commits of these sizes, each of one append. */
async function segmentEnds(commits: readonly number[], bytesMax: number): Promise<number[]> {
  const database = new NodeDatabase(STREAM_SCHEMA);
  createSchema(database);
  const log = new HotLog(database);
  let tail = 0;
  for (const size of commits) {
    log.insertCommit(tail, new Uint8Array(size), {}, 1);
    tail += size;
  }
  log.seal(tail, () => undefined);
  const [table] = log.frozen;
  if (table === undefined) throw new Error("The log has no frozen table.");
  const plans = await planSegments(log, table, { incarnation: 1, bytesMax }, () => Promise.resolve());
  expect(plans.map(({ range }) => range.first)).toEqual([0, ...plans.slice(0, -1).map(({ range }) => range.last)]);
  for (const { range, blocks } of plans) {
    expect(blocks[0]).toMatchObject({ position: range.first, continued: false });
    expect(blocks.reduce((sum, { payloadBytes }) => sum + payloadBytes, 0)).toBe(range.last - range.first);
  }
  return plans.map(({ range }) => range.last);
}

it.each([
  { about: "below one segment", commits: [10, 10], bytesMax: 30, ends: [20] },
  { about: "less than two segments", commits: [10, 10, 10, 10, 10], bytesMax: 30, ends: [50] },
  { about: "two segments", commits: [10, 10, 10, 10, 10, 10], bytesMax: 30, ends: [30, 60] },
  { about: "commits longer than a segment", commits: [100, 10, 10, 100], bytesMax: 30, ends: [100, 220] },
  { about: "one commit", commits: [100], bytesMax: 30, ends: [100] },
])("a table of $about ends at $ends", async ({ commits, bytesMax, ends }) => {
  expect(await segmentEnds(commits, bytesMax)).toEqual(ends);
});

it("a commit that spans rows is not cut", async () => {
  const large = 2 * ROW_BYTES_MAX + 5;
  expect(await segmentEnds([large, 10, large], ROW_BYTES_MAX)).toEqual([large, 2 * large + 10]);
});

it("a table becomes at most 64 segments, however large it is", async () => {
  expect(await segmentEnds(Array.from<number>({ length: 1_000 }).fill(10), 10)).toHaveLength(64);
});
