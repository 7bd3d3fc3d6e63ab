import { assertProperty, concatBytes, patternBytes } from "@durable-streams-cloudflare/testkit";
import { NodeDatabase } from "@durable-streams-cloudflare/testkit/node-host";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  firstBoundaryAfter,
  insertCommit,
  isAppendBoundary,
  lastBoundaryAtOrBefore,
  newestNotes,
  notesSince,
  readRange,
  ROW_BYTES_MAX,
} from "./log-rows.ts";
import { createSchema } from "./schema.ts";

function emptyLog(): NodeDatabase {
  const database = new NodeDatabase();
  createSchema(database);
  return database;
}

/** A log of commits, each given by the sizes of its appends; with what it must be, as plain data. */
function logOf(commits: readonly (readonly number[])[]) {
  const database = emptyLog();
  const boundaries = [0];
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let position = 0;
  for (const [index, sizes] of commits.entries()) {
    let end = 0;
    const ends = sizes.map((size) => (end += size));
    const bytes = patternBytes(end, index);
    insertCommit(database, position, bytes, sizes.length > 1 ? { ends } : {}, 1_000 + index);
    boundaries.push(...ends.map((each) => position + each));
    pieces.push(bytes);
    position += end;
  }
  return { database, boundaries, bytes: concatBytes(pieces), tail: position };
}

describe("rows", () => {
  it.each([
    { size: ROW_BYTES_MAX - 1, rows: [ROW_BYTES_MAX - 1] },
    { size: ROW_BYTES_MAX, rows: [ROW_BYTES_MAX] },
    { size: ROW_BYTES_MAX + 1, rows: [ROW_BYTES_MAX, 1] },
    { size: 2 * ROW_BYTES_MAX, rows: [ROW_BYTES_MAX, ROW_BYTES_MAX] },
    { size: 2 * ROW_BYTES_MAX + 1, rows: [ROW_BYTES_MAX, ROW_BYTES_MAX, 1] },
  ])("an append of $size bytes is rows of $rows bytes, and reads back", ({ size, rows }) => {
    const { database, bytes } = logOf([[size]]);
    const stored = notesSince(database, 0);
    expect(stored.map((row) => row.size)).toEqual(rows);
    expect(stored.map((row) => row.notes.open ?? false)).toEqual(rows.map((_, index) => index < rows.length - 1));
    expect(Buffer.compare(readRange(database, 0, size, size), bytes)).toBe(0);
    expect(lastBoundaryAtOrBefore(database, size - 1)).toBe(0);
    expect(firstBoundaryAfter(database, 0)).toBe(size);
    expect(isAppendBoundary(database, ROW_BYTES_MAX)).toBe(size === ROW_BYTES_MAX);
  });

  it("only the last row of a commit carries its notes", () => {
    const database = emptyLog();
    const notes = { streamSeq: "s", closed: {} };
    insertCommit(database, 0, patternBytes(ROW_BYTES_MAX + 5), notes, 7);
    expect(notesSince(database, 0).map((row) => row.notes)).toEqual([{ open: true }, notes]);
    expect(newestNotes(database, 1)[0]).toEqual({ position: ROW_BYTES_MAX, size: 5, committedAtMs: 7, notes });
  });

  it("newest notes come newest first, and no more than asked for", () => {
    const { database } = logOf([[1], [2], [3]]);
    expect(newestNotes(database, 2).map((row) => row.position)).toEqual([3, 1]);
  });

  it("a close without data is a row of its own at the tail, and no byte", () => {
    const { database, bytes, tail } = logOf([[3, 4]]);
    insertCommit(database, tail, new Uint8Array(), { closed: {} }, 9);
    expect(newestNotes(database, 1)[0]).toMatchObject({ position: tail, size: 0, notes: { closed: {} } });
    expect(Buffer.compare(readRange(database, 0, tail, 100), bytes)).toBe(0);
    expect(isAppendBoundary(database, tail)).toBe(true);
  });

  it("an empty log has no rows, and position 0 as its only boundary", () => {
    const database = emptyLog();
    expect(newestNotes(database, 1)[0]).toBeUndefined();
    expect(lastBoundaryAtOrBefore(database, 5)).toBe(0);
    expect(firstBoundaryAfter(database, 0)).toBeUndefined();
    expect(readRange(database, 0, 10, 10)).toHaveLength(0);
  });

  it("a piece that is read does not drag its row's whole buffer along", () => {
    const { database } = logOf([[1_000]]);
    expect(readRange(database, 10, 20, 100).buffer.byteLength).toBe(10);
  });
});

describe("against a plain array of bytes", () => {
  const commits = fc.array(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 12,
  });
  const places = fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 200 }));

  it("every range reads what lies there, from its beginning, and goes on to its end", async () => {
    const property = fc.property(commits, places, (sizes, [a, b, bytesMax]) => {
      const { database, bytes, tail } = logOf(sizes);
      const [from, to] = [a % (tail + 1), b % (tail + 1)].toSorted((x, y) => x - y) as [number, number];
      const pages: Uint8Array[] = [];
      for (let at = from; at < to; at += pages.at(-1)?.length ?? 0) {
        const page = readRange(database, at, to, bytesMax);
        expect(page.length).toBeGreaterThan(0);
        expect(page.length).toBeLessThan(bytesMax + 40 * 4);
        pages.push(page);
      }
      expect(Buffer.compare(concatBytes(pages), bytes.subarray(from, to))).toBe(0);
    });
    await assertProperty("ranges of the log", property, 300);
  });

  it("boundaries are exactly where appends ended", async () => {
    const property = fc.property(commits, (sizes) => {
      const { database, boundaries, tail } = logOf(sizes);
      for (let position = 0; position <= tail; position += 1) {
        expect(isAppendBoundary(database, position)).toBe(boundaries.includes(position));
        expect(lastBoundaryAtOrBefore(database, position)).toBe(boundaries.findLast((end) => end <= position));
        expect(firstBoundaryAfter(database, position)).toBe(boundaries.find((end) => end > position));
      }
    });
    await assertProperty("boundaries of the log", property, 30);
  });

  it("boundaries are right around appends that span rows", () => {
    const spanning = 2 * ROW_BYTES_MAX + 3;
    const { database, boundaries, tail } = logOf([[5, 6], [spanning], [ROW_BYTES_MAX], [7]]);
    const near = [0, ROW_BYTES_MAX, 2 * ROW_BYTES_MAX, ...boundaries].flatMap((place) => [place - 1, place, place + 1]);
    const inside = near.map((place) => place + 11).concat(near);
    for (const position of inside.filter((place) => place >= 0 && place <= tail)) {
      expect(lastBoundaryAtOrBefore(database, position)).toBe(boundaries.findLast((end) => end <= position));
      expect(firstBoundaryAfter(database, position)).toBe(boundaries.find((end) => end > position));
    }
  });
});
