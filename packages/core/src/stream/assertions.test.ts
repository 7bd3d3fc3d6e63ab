/** A position of the log that is wrong is told as an error; nothing is written on account of it, and memory is read back. */

import { FakeSegmentStore } from "@durable-streams-cloudflare/testkit/node-host";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { NodeDatabase } from "../../test/node-database.ts";
import {
  appendOf,
  codeOf,
  createOf,
  newHost,
  REMAINING,
  START_MS,
  streamOn,
  type Host,
} from "../../test/stream-fixture.ts";
import { SourceState, EVERYBODY } from "../fan-out/source/source-state.ts";
import { LINK_SCHEMA } from "../fan-out/source/tables.ts";
import { AssertionFailed } from "../kit/assert.ts";
import { HotLog } from "../log/hot-log.ts";
import { coldSlices, insertSegment } from "../log/segment-rows.ts";
import { appendBatch } from "./append/append-batch.ts";
import { loadState } from "./state.ts";
import type { Stream } from "./stream.ts";
import { STREAM_SCHEMA } from "./tables/schema.ts";

let host: Host;

beforeEach(() => {
  host = Object.assign(newHost("p/s"), { database: new NodeDatabase(STREAM_SCHEMA, "object") });
});

afterEach(() => void vi.restoreAllMocks());

/** A stream of three commits of ten bytes each. */
async function threeCommits(): Promise<Stream> {
  const stream = streamOn(host);
  await stream.create(createOf());
  for (const text of ["aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"]) await stream.append(appendOf(text));
  return stream;
}

const readAll = (stream: Stream) => stream.read({ from: { kind: "start" }, ifNoneMatch: null, paging: "bytes" });

describe("before a write", () => {
  it("an append that would not begin at the tail is an error that writes nothing, and the next one goes in", async () => {
    const stream = await threeCommits();
    // Memory goes wrong: the log does not learn of a commit.
    vi.spyOn(HotLog.prototype, "committed").mockImplementationOnce(() => undefined);
    await stream.append(appendOf("dddddddddd"));
    const rows = host.database.rowsWritten;
    await expect(stream.append(appendOf("eeeeeeeeee"))).rejects.toThrow(
      "the beginning of a new commit: expected 30, found 40.",
    );
    expect(host.database.rowsWritten).toBe(rows);
    expect(host.reports.at(-1)?.error).toBeInstanceOf(AssertionFailed);
    expect(codeOf(await stream.append(appendOf("ffffffffff")))).toBe("ok");
    const read = readAll(stream);
    expect(read.ok && read.to).toBe(50);
  });

  it.each([
    { about: "ends that go back", bytes: 4, ends: [3, 2, 4] },
    { about: "ends that are not the commit's", bytes: 4, ends: [2, 3] },
    { about: "no bytes, without closing", bytes: 0, ends: undefined },
  ])("a commit with $about is not written", async ({ bytes, ends }) => {
    await threeCommits();
    const log = HotLog.load(host.database);
    const rows = host.database.rowsWritten;
    const notes = ends === undefined ? {} : { ends };
    expect(() => log.insertCommit(30, new Uint8Array(bytes), notes, 1)).toThrow(AssertionFailed);
    expect(host.database.rowsWritten).toBe(rows);
  });

  it("a checkpoint that is not at the end of the log is not written", async () => {
    await threeCommits();
    const state = loadState(host.database, START_MS);
    if (state === undefined) throw new Error("There is no stream.");
    state.tail += 1;
    state.commitsSinceCheckpoint = 1_000_000;
    const rows = host.database.rowsWritten;
    expect(() => appendBatch(state, host.database, [appendOf("x")], START_MS, REMAINING)).toThrow(
      "the position of a checkpoint: expected 30, found 31.",
    );
    expect(host.database.rowsWritten).toBe(rows);
  });

  it("a segment whose blocks hold other bytes than its range is not written", async () => {
    await threeCommits();
    const segment = { first: 0, last: 30, committedAtMs: 1 };
    expect(() => insertSegment(host.database, segment, [{ payloadBytes: 29, storedBytes: 99 }])).toThrow(
      "the bytes in the blocks of a new segment: expected 30, found 29.",
    );
  });

  it("the position that all followers have reached never goes back, and is read anew", () => {
    const database = new NodeDatabase(LINK_SCHEMA);
    database.tables.create(...LINK_SCHEMA.together);
    const source = new SourceState(database);
    source.write({ token: 1, incarnation: 1, position: 20 });
    source.beginPass(10, null);
    expect(() => source.reached(EVERYBODY, 1)).toThrow("expected at least 20, found 10.");
    expect(source.row).toMatchObject({ position: 20, pass: null });
  });
});

describe("after a read", () => {
  it("a row that is missing from the log is an error, and no reader gets what lies behind it in its place", async () => {
    const stream = await threeCommits();
    host.database.exec("UPDATE log SET position = 11 WHERE position = 10");
    expect(() => readAll(stream)).toThrow("the beginning of a row of the log: expected 10, found 11.");
    host.database.exec("UPDATE log SET position = 10 WHERE position = 11");
    expect(codeOf(readAll(stream))).toBe("ok");
  });

  it("a stream whose rows do not meet is not read back", async () => {
    await threeCommits();
    host.database.exec("DELETE FROM log WHERE position = 10");
    expect(() => streamOn(host).head()).toThrow("the beginning of a commit: expected 10, found 20.");
  });

  it("segments that do not meet are an error", async () => {
    host.segments = new FakeSegmentStore();
    await threeCommits();
    const segment = (first: number, last: number): void =>
      insertSegment(host.database, { first, last, committedAtMs: 1 }, [
        { payloadBytes: last - first, storedBytes: 99 },
      ]);
    segment(0, 10);
    segment(11, 30);
    expect(() => coldSlices(host.database, { name: "p/s", incarnation: 1 }, 0, 30)).toThrow(
      "the beginning of a segment: expected 10, found 11.",
    );
  });
});
