import { KEEP_ALL } from "@durable-streams-cloudflare/protocol";
import { assertProperty } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { NodeDatabase } from "../../test/node-database.ts";
import { appendOf, REMAINING, START_MS } from "../../test/stream-fixture.ts";
import type { AppendCommand } from "../contracts/stream.ts";
import { HotLog } from "../log/hot-log.ts";
import { appendBatch } from "./append/append-batch.ts";
import { findProducer, loadState, newState, type StreamState } from "./state.ts";
import { createSchema, STREAM_SCHEMA } from "./tables/schema.ts";
import { insertStreamRow, readStreamRow, streamTable } from "./tables/stream-row.ts";

const FIELDS = {
  incarnation: 5,
  contentType: "text/plain",
  lifetime: { kind: "forever" },
  retention: KEEP_ALL,
  earliest: 0,
  touchedAtMs: START_MS,
  origin: undefined,
} as const;

function newStream(recordsAuthors = false): { database: NodeDatabase; state: StreamState } {
  const database = new NodeDatabase(STREAM_SCHEMA);
  createSchema(database);
  insertStreamRow(database, STREAM_SCHEMA.version, { ...FIELDS, recordsAuthors });
  return { database, state: newState({ ...FIELDS, recordsAuthors }, new HotLog(database)) };
}

function append(stream: ReturnType<typeof newStream>, ...batch: AppendCommand[]): void {
  appendBatch(stream.state, stream.database, batch, START_MS, REMAINING);
}

/** One commit with one append each. */
function appendTimes(stream: ReturnType<typeof newStream>, times: number): void {
  for (let index = 0; index < times; index += 1) append(stream, appendOf("x"));
}

const checkpointOf = (database: NodeDatabase): number | undefined => readStreamRow(database)?.checkpointPosition;

describe("a restart", () => {
  const command = fc
    .record({
      text: fc.string({ minLength: 1, maxLength: 5 }),
      producer: fc.option(fc.record({ id: fc.constantFrom("a", "b"), epoch: fc.nat(2), seq: fc.nat(3) })),
      streamSeq: fc.option(fc.constantFrom("a", "b", "c")),
      close: fc.nat(40).map((roll) => roll === 40),
    })
    .map(({ text, producer, streamSeq, close }) =>
      appendOf(text, {
        close,
        ...(producer === null ? { attempt: crypto.randomUUID() } : { producer }),
        ...(streamSeq === null ? {} : { streamSeq }),
      }),
    );

  it("[IN1] [PR13] finds everything as it was", async () => {
    const property = fc.property(fc.array(fc.array(command, { minLength: 1 }), { maxLength: 30 }), (batches) => {
      const stream = newStream();
      for (const batch of batches) append(stream, ...batch);
      // When it was made is only known to be not later than this.
      const expected = { ...stream.state, createdAtMs: expect.any(Number) };
      expect(loadState(stream.database, START_MS)).toMatchObject(expected);
    });
    await assertProperty("state after a restart", property, 200);
  });

  it("of a stream that never was finds nothing", () => {
    expect(loadState(new NodeDatabase(STREAM_SCHEMA), START_MS)).toBeUndefined();
  });

  it("assumes the renewal that the disk may have missed, but never one in the future", () => {
    const { database } = newStream();
    database.run(streamTable.update("ttl_seconds = 100"));
    expect(loadState(database, START_MS + 3_000)?.touchedAtMs).toBe(START_MS + 3_000);
    expect(loadState(database, START_MS + 50_000)?.touchedAtMs).toBe(START_MS + 10_000);
    expect(loadState(database, START_MS - 1)?.touchedAtMs).toBe(START_MS);
  });
});

describe("checkpoints", () => {
  it.each([
    { commits: 999, checkpoint: 0 },
    { commits: 1_000, checkpoint: 0 },
    { commits: 1_001, checkpoint: 1_000 },
    { commits: 2_001, checkpoint: 2_000 },
  ])("after $commits commits the last one is at $checkpoint, and a restart finds all", ({ commits, checkpoint }) => {
    const stream = newStream();
    append(stream, appendOf("x", { producer: { id: "first", epoch: 1, seq: 0 }, streamSeq: "s" }));
    appendTimes(stream, commits - 1);
    expect(checkpointOf(stream.database)).toBe(checkpoint);
    const loaded = loadState(stream.database, START_MS);
    expect(loaded).toMatchObject({ tail: commits, streamSeq: "s", commitsSinceCheckpoint: commits - checkpoint });
    expect(loaded && findProducer(loaded, stream.database, "first")).toEqual({ epoch: 1, seq: 0 });
  });

  it("are also written when the names of authors in the log come to 4 Mi characters", () => {
    const stream = newStream(true);
    const batch = Array.from({ length: 512 }, (_, index) => appendOf("x", { author: `${index}`.padStart(256, "u") }));
    for (let count = 0; count < 32; count += 1) append(stream, ...batch);
    expect(checkpointOf(stream.database)).toBe(0);
    append(stream, ...batch);
    expect(checkpointOf(stream.database)).toBe(32 * 512);
    expect(loadState(stream.database, START_MS)).toMatchObject({ tail: 33 * 512, authorCharacters: 512 * 256 });
  });

  it("are also written when a thousand producers are known only from the log", () => {
    const stream = newStream();
    const claims = Array.from({ length: 1_001 }, (_, index) => ({ id: `p${index}`, epoch: 0, seq: 0 }));
    append(stream, ...claims.slice(0, 500).map((producer) => appendOf("x", { producer })));
    append(stream, ...claims.slice(500, 1_000).map((producer) => appendOf("x", { producer })));
    expect(checkpointOf(stream.database)).toBe(0);
    append(stream, ...claims.slice(1_000).map((producer) => appendOf("x", { producer })));
    expect(checkpointOf(stream.database)).toBe(1_000);
    const loaded = loadState(stream.database, START_MS);
    for (const { id } of claims) {
      expect(loaded && findProducer(loaded, stream.database, id)).toEqual({ epoch: 0, seq: 0 });
    }
  });

  it("cost one row for the stream and one for each producer", () => {
    const stream = newStream();
    append(stream, ...["a", "b", "c"].map((id) => appendOf("x", { producer: { id, epoch: 0, seq: 0 } })));
    appendTimes(stream, 999);
    const before = stream.database.rowsWritten;
    append(stream, appendOf("x"));
    expect(stream.database.rowsWritten - before).toBe(1 + 1 + 3);
  });

  it("[IN10] [CL2] are never written of a closed stream: it stays closed", () => {
    const stream = newStream();
    const producer = { id: "p", epoch: 0, seq: 0 };
    appendTimes(stream, 999);
    append(stream, appendOf("end", { close: true, producer }));
    append(stream, appendOf("late"));
    const loaded = loadState(stream.database, START_MS);
    expect(loaded?.closure).toEqual({ by: producer });
  });

  it("a failed one leaves the state as it was, and the next append works", () => {
    const stream = newStream();
    appendTimes(stream, 1_000);
    stream.database.failOnce(/^UPDATE stream/, new Error("disk full"));
    expect(() => append(stream, appendOf("x"))).toThrow("disk full");
    expect(stream.state).toMatchObject({ tail: 1_000, commitsSinceCheckpoint: 1_000 });
    append(stream, appendOf("x"));
    expect(loadState(stream.database, START_MS)).toMatchObject({ tail: 1_001, commitsSinceCheckpoint: 1 });
  });
});
