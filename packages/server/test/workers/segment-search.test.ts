import { coldSlices, insertSegment, segmentAt } from "@durable-streams-cloudflare/core/log/segment-rows";
import { STREAM_SCHEMA } from "@durable-streams-cloudflare/core/stream/tables/schema";
import { expect, it } from "vitest";

import { inObject, newStream } from "./edge.ts";
import { countedDatabase } from "./rows.ts";

const BYTES = 1_000;
const STREAM = { name: "p/s", incarnation: 1_800_000_000_000 };

/** Rows read to find one place in a stream of so many segments. */
async function rowsToFind(segments: number): Promise<{ segmentAt: number; coldSlices: number }> {
  const edge = await newStream();
  return inObject(edge, (_, { storage }) => {
    const database = countedDatabase(storage, STREAM_SCHEMA);
    for (let first = 0; first < segments * BYTES; first += BYTES) {
      const blocks = [{ payloadBytes: BYTES, storedBytes: BYTES + 100 }];
      insertSegment(database, { first, last: first + BYTES, committedAtMs: 0 }, blocks);
    }
    const position = (segments / 2) * BYTES + 500;
    const rowsOf = (work: () => void): number => {
      database.rowsRead = 0;
      work();
      return database.rowsRead;
    };
    return {
      segmentAt: rowsOf(() => segmentAt(database, position)),
      coldSlices: rowsOf(() => coldSlices(database, STREAM, position, position + 10)),
    };
  });
}

it("one of 1,000 segments is found in as few rows as one of ten", async () => {
  const ofMany = await rowsToFind(1_000);
  expect(ofMany).toEqual(await rowsToFind(10));
  expect(ofMany.segmentAt).toBe(1);
  expect(ofMany.coldSlices).toBeLessThanOrEqual(3);
});
