import { STREAM_NAME_BYTES_MAX } from "@durable-streams-cloudflare/protocol";
import { describe, expect, it } from "vitest";

import { NodeDatabase } from "../../test/node-database.ts";
import { createSchema, STREAM_SCHEMA } from "../stream/tables/schema.ts";
import {
  coldSlices,
  hasSegments,
  insertSegment,
  segmentAt,
  segmentsFrom,
  segmentKey,
  segmentPrefix,
} from "./segment-rows.ts";

const STREAM = { name: "p/s", incarnation: 1_800_000_000_000 };
const SEGMENTS = 1_000;
const BYTES = 1_000;

function thousandSegments(): NodeDatabase {
  const database = new NodeDatabase(STREAM_SCHEMA);
  createSchema(database);
  for (let index = 0; index < SEGMENTS; index += 1) {
    const [first, last] = [index * BYTES, (index + 1) * BYTES];
    const blocks = [
      { payloadBytes: 600, storedBytes: 700 },
      { payloadBytes: 400, storedBytes: 500 },
    ];
    insertSegment(database, { first, last, committedAtMs: index }, blocks);
  }
  return database;
}

describe(`one of ${SEGMENTS} segments`, () => {
  it("is found by a search, never by a scan", () => {
    const database = thousandSegments();
    const plans = database.plansOf(() => {
      segmentAt(database, 500_500);
      coldSlices(database, STREAM, 500_500, 500_600);
    });
    const onSegments = plans.filter((step) => step.includes("segments"));
    expect(onSegments.length).toBeGreaterThan(1);
    for (const step of onSegments) expect(step).toMatch(/^SEARCH \w+ USING (INTEGER )?PRIMARY KEY/);
  });

  it.each([0, 1, 599, 600, 999, 1_000, 500_500, 999_999])("is the one that position %i lies in", (position) => {
    const database = thousandSegments();
    const first = Math.floor(position / BYTES) * BYTES;
    expect(segmentAt(database, position)).toMatchObject({ first, last: first + BYTES });
    const [slice, ...more] = coldSlices(database, STREAM, position, position + 1);
    expect(more).toEqual([]);
    const isSecond = position - first >= 600;
    expect(slice).toMatchObject({
      key: segmentKey(STREAM.name, { ...STREAM, first, last: first + BYTES }),
      from: position,
      to: position + 1,
      position: isSecond ? first + 600 : first,
      offset: isSecond ? 740 : 40,
      end: isSecond ? 1_240 : 740,
    });
  });

  it("is followed by the next ones, as many as one answer may contain", () => {
    const slices = coldSlices(thousandSegments(), STREAM, 500_500, SEGMENTS * BYTES);
    expect(slices).toHaveLength(16);
    expect(slices.map(({ from }) => from)).toEqual(
      slices.map((_, index) => (index === 0 ? 500_500 : (500 + index) * BYTES)),
    );
    expect(slices.map(({ to }) => to)).toEqual(slices.map((_, index) => (501 + index) * BYTES));
  });
});

it("there is no segment beyond the last one, and none in a new stream", () => {
  const database = thousandSegments();
  expect(segmentAt(database, SEGMENTS * BYTES)).toBeUndefined();
  createSchema(database);
  expect(hasSegments(database)).toBe(false);
  expect(segmentsFrom(database, 0, 10)).toEqual([]);
});

describe("keys of objects", () => {
  it("fit into R2, whatever the stream is called", () => {
    const name = `default/${"ü".repeat(STREAM_NAME_BYTES_MAX / 2)}`;
    const key = segmentKey(name, { incarnation: 2 ** 53 - 1, first: 2 ** 53 - 2, last: 2 ** 53 - 1 });
    expect(Buffer.byteLength(key)).toBeLessThanOrEqual(1_024);
  });

  it("[IN11] of one stream are never below the prefix of another, or of another incarnation", () => {
    const range = { incarnation: 5, first: 0, last: 1 };
    const names = ["a", "a/b", "a/0000000000000005", "a/0000000000000005/x", "b", "a-", "aa"];
    for (const name of names) {
      for (const other of names) {
        const isBelow = segmentKey(other, range).startsWith(segmentPrefix(name, 5));
        expect({ name, other, isBelow }).toEqual({ name, other, isBelow: name === other });
        expect(segmentKey(other, range).startsWith(segmentPrefix(name, 50))).toBe(false);
      }
    }
  });

  it("sort as positions do", () => {
    const keys = [0, 9, 10, 1_000].map((first) => segmentKey("a", { incarnation: 5, first, last: 2_000 }));
    expect(keys.toSorted()).toEqual(keys);
  });
});
