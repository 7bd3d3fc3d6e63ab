import { assertProperty, concatBytes, patternBytes } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { NodeDatabase } from "../../test/node-database.ts";
import { createSchema, STREAM_SCHEMA } from "../stream/tables/schema.ts";
import { HotLog } from "./hot-log.ts";
import { logTable, ROW_BYTES_MAX } from "./log-rows.ts";

const NOTHING = (): void => undefined;

function emptyLog(): { database: NodeDatabase; log: HotLog } {
  const database = new NodeDatabase(STREAM_SCHEMA);
  createSchema(database);
  return { database, log: new HotLog(database) };
}

/**
 * A log of commits, each given by the sizes of its appends; with what it must be, as plain data.
 * @param seals after which commits a new table begins.
 */
function logOf(commits: readonly (readonly number[])[], seals: readonly number[] = []) {
  const { database, log } = emptyLog();
  const boundaries = [0];
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let position = 0;
  for (const [index, sizes] of commits.entries()) {
    let end = 0;
    const ends = sizes.map((size) => (end += size));
    const bytes = patternBytes(end, index);
    log.insertCommit(position, bytes, sizes.length > 1 ? { ends } : {}, 1_000 + index);
    boundaries.push(...ends.map((each) => position + each));
    chunks.push(bytes);
    position += end;
    if (seals.includes(index)) log.seal(position, NOTHING);
  }
  return { database, log, boundaries, bytes: concatBytes(chunks), tail: position };
}

describe("rows", () => {
  it.each([
    { size: ROW_BYTES_MAX - 1, rows: [ROW_BYTES_MAX - 1] },
    { size: ROW_BYTES_MAX, rows: [ROW_BYTES_MAX] },
    { size: ROW_BYTES_MAX + 1, rows: [ROW_BYTES_MAX, 1] },
    { size: 2 * ROW_BYTES_MAX, rows: [ROW_BYTES_MAX, ROW_BYTES_MAX] },
    { size: 2 * ROW_BYTES_MAX + 1, rows: [ROW_BYTES_MAX, ROW_BYTES_MAX, 1] },
  ])("an append of $size bytes is rows of $rows bytes, and reads back", ({ size, rows }) => {
    const { log, bytes } = logOf([[size]]);
    const stored = log.notesSince(0);
    expect(stored.map((row) => row.size)).toEqual(rows);
    expect(stored.map((row) => row.notes.open ?? false)).toEqual(rows.map((_, index) => index < rows.length - 1));
    expect(Buffer.compare(log.readRange(0, size, size), bytes)).toBe(0);
    expect(log.lastBoundaryAtOrBefore(size - 1)).toBe(0);
    expect(log.firstBoundaryAfter(0)).toBe(size);
    expect(log.lastBoundaryAtOrBefore(ROW_BYTES_MAX) === ROW_BYTES_MAX).toBe(size === ROW_BYTES_MAX);
  });

  it("only the last row of a commit carries its notes", () => {
    const { log } = emptyLog();
    const notes = { streamSeq: "s", closed: {} };
    log.insertCommit(0, patternBytes(ROW_BYTES_MAX + 5), notes, 7);
    expect(log.notesSince(0).map((row) => row.notes)).toEqual([{ open: true }, notes]);
    expect(log.newestNotes(1)[0]).toEqual({ position: ROW_BYTES_MAX, size: 5, committedAtMs: 7, notes });
  });

  it("newest notes come newest first, and no more than asked for", () => {
    const { log } = logOf([[1], [2], [3]]);
    expect(log.newestNotes(2).map((row) => row.position)).toEqual([3, 1]);
  });

  it("a close without data is a row of its own at the tail, without a byte", () => {
    const { log, bytes, tail } = logOf([[3, 4]]);
    log.insertCommit(tail, new Uint8Array(), { closed: {} }, 9);
    expect(log.newestNotes(1)[0]).toMatchObject({ position: tail, size: 0, notes: { closed: {} } });
    expect(Buffer.compare(log.readRange(0, tail, 100), bytes)).toBe(0);
    expect(log.lastBoundaryAtOrBefore(tail)).toBe(tail);
  });

  it("an empty log has no rows, and position 0 as its only boundary", () => {
    const { log } = emptyLog();
    expect(log.newestNotes(1)[0]).toBeUndefined();
    expect(log.lastBoundaryAtOrBefore(5)).toBe(0);
    expect(log.firstBoundaryAfter(0)).toBeUndefined();
    expect(log.readRange(0, 10, 10)).toHaveLength(0);
  });

  it("a range that is read does not keep its row's whole buffer in memory", () => {
    const { log } = logOf([[1_000]]);
    expect(log.readRange(10, 20, 100).buffer.byteLength).toBe(10);
  });
});

describe("a small range that was read last", () => {
  it("is read again, or a part of it, without a statement, and nobody can change it", () => {
    const { database, log, bytes } = logOf([[3], [4, 5], [6]]);
    log.readRange(0, 12, 100).fill(0);
    const statements = database.plansOf(() => {
      log.readRange(0, 12, 100).fill(0);
      expect(Buffer.compare(log.readRange(0, 12, 100), bytes.subarray(0, 12))).toBe(0);
      expect(Buffer.compare(log.readRange(4, 9, 100), bytes.subarray(4, 9))).toBe(0);
      expect(log.readRange(18, 18, 100)).toHaveLength(0);
    });
    expect(statements).toEqual([]);
  });

  it("ends where it ended, and what was appended since is read from the database", () => {
    const { log, bytes } = logOf([[3], [4, 5]]);
    log.readRange(0, 12, 100);
    const more = patternBytes(6, 7);
    log.insertCommit(12, more, {}, 1);
    expect(Buffer.compare(log.readRange(0, 18, 100), concatBytes([bytes, more]))).toBe(0);
    expect(Buffer.compare(log.readRange(12, 18, 100), more)).toBe(0);
  });

  it("is not kept when it is large", () => {
    const { database, log } = logOf([[100_000]]);
    log.readRange(0, 100_000, 100_000);
    expect(database.plansOf(() => log.readRange(0, 100_000, 100_000))).not.toEqual([]);
  });
});

describe("tables", () => {
  const sizes = [[3], [4, 5], [6]];

  it("[IN5] continue where the one before ends, and are found again by a restart", () => {
    const { database, log, bytes, tail } = logOf(sizes, [0, 2]);
    expect(database.tables.partitions(logTable)).toEqual([0, 3, 18]);
    expect(log.notesSince(0).map(({ position }) => position)).toEqual([0, 3, 12]);
    const restarted = HotLog.load(database);
    expect(restarted.newestFirst).toBe(tail);
    expect(restarted.newestNotes(2).map(({ position }) => position)).toEqual([12, 3]);
    expect(restarted.notesSince(3)).toEqual(log.notesSince(3));
    expect(
      Buffer.compare(concatBytes([restarted.readRange(0, tail, 100), restarted.readRange(3, tail, 100)]), bytes),
    ).toBe(0);
  });

  it("begin together with what is written alongside, or not at all", () => {
    const { database, log } = logOf(sizes);
    const fail = (): never => {
      throw new Error("disk full");
    };
    expect(() => log.seal(18, fail)).toThrow("disk full");
    expect(database.tables.partitions(logTable)).toEqual([0]);
    log.insertCommit(18, patternBytes(2), {}, 1);
    expect(log.newestFirst).toBe(0);
    expect(log.readRange(18, 20, 10)).toHaveLength(2);
  });

  it("are looked up by their beginning: no statement scans a table", () => {
    const { database, log, tail } = logOf(sizes, [0, 1]);
    const plans = database.plansOf(() => {
      log.readRange(3, tail, 10);
      log.lastBoundaryAtOrBefore(7);
      log.firstBoundaryAfter(7);
      log.notesSince(12);
    });
    expect(plans.filter((step) => step.startsWith("SCAN") && !step.includes("CONSTANT ROW"))).toEqual([]);
  });
});

describe("against a plain array of bytes", () => {
  const commits = fc.array(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 12,
  });
  const seals = fc.array(fc.nat({ max: 11 }), { maxLength: 4 });
  const places = fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 200 }));

  it("[RE1] every range reads what lies there, from its beginning, and goes on to its end", async () => {
    const property = fc.property(commits, seals, places, (sizes, sealed, [a, b, bytesMax]) => {
      const { log, bytes, tail } = logOf(sizes, sealed);
      const [from, to] = [a % (tail + 1), b % (tail + 1)].toSorted((x, y) => x - y) as [number, number];
      const pages: Uint8Array[] = [];
      for (let at = from; at < to; at += pages.at(-1)?.length ?? 0) {
        const page = log.readRange(at, to, bytesMax);
        expect(page.length).toBeGreaterThan(0);
        expect(page.length).toBeLessThan(bytesMax + 40 * 4);
        pages.push(page);
      }
      expect(Buffer.compare(concatBytes(pages), bytes.subarray(from, to))).toBe(0);
    });
    await assertProperty("ranges of the log", property, 300);
  });

  it("[IN5] boundaries are exactly where appends ended", async () => {
    const property = fc.property(commits, seals, (sizes, sealed) => {
      const { log, boundaries, tail } = logOf(sizes, sealed);
      for (let position = 0; position <= tail; position += 1) {
        expect(log.lastBoundaryAtOrBefore(position)).toBe(boundaries.findLast((end) => end <= position));
        expect(log.lastBoundaryAtOrBefore(position)).toBe(boundaries.findLast((end) => end <= position));
        expect(log.firstBoundaryAfter(position)).toBe(boundaries.find((end) => end > position));
      }
    });
    await assertProperty("boundaries of the log", property, 15);
  });

  it("boundaries are right around appends that span rows", () => {
    const spanning = 2 * ROW_BYTES_MAX + 3;
    const { log, boundaries, tail } = logOf([[5, 6], [spanning], [ROW_BYTES_MAX], [7]]);
    const near = [0, ROW_BYTES_MAX, 2 * ROW_BYTES_MAX, ...boundaries].flatMap((place) => [place - 1, place, place + 1]);
    const inside = near.map((place) => place + 11).concat(near);
    for (const position of inside.filter((place) => place >= 0 && place <= tail)) {
      expect(log.lastBoundaryAtOrBefore(position)).toBe(boundaries.findLast((end) => end <= position));
      expect(log.firstBoundaryAfter(position)).toBe(boundaries.find((end) => end > position));
    }
  });
});
