import { concatBytes, patternBytes } from "@durable-streams-cloudflare/testkit";
import { FakeSegmentStore } from "@durable-streams-cloudflare/testkit/node-host";

import { HotLog } from "../src/log/hot-log.ts";
import { segmentSize } from "../src/log/segment-format.ts";
import { coldSlices, insertSegment, segmentKey } from "../src/log/segment-rows.ts";
import { encodeSegment, planSegments } from "../src/log/segment-writer.ts";
import { createSchema, STREAM_SCHEMA } from "../src/stream/tables/schema.ts";
import { NodeDatabase } from "./node-database.ts";

const NAME = "project/stream";
const INCARNATION = 1_800_000_000_000;

/** A log whose older part is cold, and what it must be, as plain data. */
export interface ColdLog {
  readonly database: NodeDatabase;
  readonly store: FakeSegmentStore;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where appends ended, and the beginning. */
  readonly boundaries: readonly number[];
  slices(from: number, to: number): ReturnType<typeof coldSlices>;
}

/** @param segments of each its commits, each given by the sizes of its appends. All of them become cold. */
export async function coldLogOf(
  segments: readonly (readonly (readonly number[])[])[],
  store = new FakeSegmentStore(),
): Promise<ColdLog> {
  const database = new NodeDatabase(STREAM_SCHEMA);
  createSchema(database);
  const log = new HotLog(database);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const boundaries = [0];
  let position = 0;
  for (const commits of segments) {
    for (const sizes of commits) {
      let end = 0;
      const ends = sizes.map((size) => (end += size));
      const bytes = patternBytes(end, chunks.length);
      log.insertCommit(position, bytes, sizes.length > 1 ? { ends } : {}, 1);
      boundaries.push(...ends.map((each) => position + each));
      chunks.push(bytes);
      position += end;
    }
    log.seal(position, () => undefined);
    for (const table of log.frozen) {
      const whole = { incarnation: INCARNATION, bytesMax: Infinity };
      const [plan] = await planSegments(log, table, whole, () => Promise.resolve());
      if (plan === undefined) throw new Error("A table gives no segment.");
      const { range, blocks, committedAtMs } = plan;
      const signal = AbortSignal.timeout(60_000);
      await store.put(segmentKey(NAME, range), segmentSize(blocks), encodeSegment(log, table, plan), signal);
      log.dropOldest(() => insertSegment(database, { ...range, committedAtMs }, blocks));
    }
  }
  const slices = (from: number, to: number) => coldSlices(database, { name: NAME, incarnation: INCARNATION }, from, to);
  return { database, store, bytes: concatBytes(chunks), boundaries, slices };
}
