import { patternBytes } from "@durable-streams-cloudflare/testkit";
import { runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";

import { append, close, content, evict, inObject, newEdge, newStream, type Edge } from "./edge.ts";
import { Family, fireAllAlarms, statusOf } from "./family.ts";
import { countRows, failSql } from "./rows.ts";

/** Once for each stream. */
const ROWS_OF_CREATION_MAX = 9;
const ROWS_OF_FORK_CREATION_MAX = 12;
const MIB = 1024 * 1024;
const producer = (seq: number) => ({ "Producer-Id": "p", "Producer-Epoch": "0", "Producer-Seq": String(seq) });

afterEach(() => {
  vi.useRealTimers();
});

describe("one row written", () => {
  it.each([
    { about: "an append", headers: {} },
    { about: "a producer's append", headers: producer(0) },
    { about: "an append with Stream-Seq", headers: { "Stream-Seq": "1" } },
    {
      about: "an append with all of it that closes",
      headers: { ...producer(0), "Stream-Seq": "1", "Stream-Closed": "true" },
    },
  ])("[IN17] is the price of $about", async ({ headers }) => {
    const edge = await newStream();
    const rows = await countRows(edge);
    expect((await append(edge, "hello", headers)).ok).toBe(true);
    expect(await rows.take()).toBe(1);
  });

  it("is the price of an append whose author is noted", async () => {
    const edge = newEdge();
    const headers = { "Content-Type": "text/plain", "Stream-Record-Author": "true" };
    expect((await edge.fetch("", { method: "PUT", headers })).status).toBe(201);
    const rows = await countRows(edge);
    expect((await append(edge, "hello")).ok).toBe(true);
    expect(await rows.take()).toBe(1);
  });

  it("is the price of a close without data", async () => {
    const edge = await newStream();
    const rows = await countRows(edge);
    expect((await close(edge)).status).toBe(204);
    expect(await rows.take()).toBe(1);
  });

  it("is more than what is refused, or sent again, or not changed, costs", async () => {
    const edge = await newStream();
    await append(edge, "hello", producer(0));
    const rows = await countRows(edge);
    expect((await append(edge, "hello", producer(0))).status).toBe(204);
    expect((await append(edge, "hello", producer(5))).status).toBe(409);
    expect((await append(edge, "{}", { "Content-Type": "application/json" })).status).toBe(409);
    expect((await edge.fetch("", { method: "PUT", headers: { "Content-Type": "text/plain" } })).status).toBe(200);
    expect(await rows.take()).toBe(0);
  });

  it("holds many appends that come together", async () => {
    const edge = await newStream();
    const rows = await countRows(edge);
    const texts = Array.from({ length: 64 }, (_, index) => `<${index}>`);
    const responses = await Promise.all(texts.map((text) => append(edge, text)));
    expect(responses.map(({ status }) => status)).toEqual(texts.map(() => 204));
    const written = await rows.take();
    expect(written).toBeGreaterThanOrEqual(1);
    expect(written).toBeLessThan(texts.length / 2);
    const stored = await content(edge);
    expect(stored.match(/<\d+>/g)?.toSorted()).toEqual(texts.toSorted());
    const offsets = responses.map((response) => response.headers.get("Stream-Next-Offset"));
    expect(new Set(offsets).size).toBe(texts.length);
  });
});

describe("reads", () => {
  it("[IN17] of a stream without a sliding lifetime write nothing, in any mode", async () => {
    const edge = await newStream({ body: "hello", vars: { LONG_POLL_TIMEOUT_MS: "100" } });
    const rows = await countRows(edge);
    for (const query of ["?offset=-1", "?offset=now", "", "?offset=now&live=long-poll"]) {
      expect((await edge.fetch(query)).ok).toBe(true);
    }
    expect((await edge.fetch("", { method: "HEAD" })).ok).toBe(true);
    const events = await edge.fetch("?offset=-1&live=sse");
    await events.body?.cancel();
    expect(await rows.take()).toBe(0);
  });

  it("of a stream with one write at most a row per tenth of its window", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const startMs = Date.now();
    const edge = await newStream({ headers: { "Stream-TTL": "100" }, body: "hello" });
    const rows = await countRows(edge);
    for (let read = 1; read <= 60; read += 1) {
      vi.setSystemTime(startMs + read * 1_000);
      expect((await edge.fetch("?offset=-1")).status).toBe(200);
    }
    expect(await rows.take()).toBe(6);
  });
});

describe("a creation", () => {
  it.each([
    { about: "of a stream", headers: {}, body: null },
    { about: "of one with content, that is closed", headers: { "Stream-Closed": "true" }, body: "hello" },
  ])("$about is one commit", async ({ headers, body }) => {
    const edge = newEdge();
    const rows = await countRows(edge);
    const init = { method: "PUT", headers: { "Content-Type": "text/plain", ...headers }, body };
    expect((await edge.fetch("", init)).status).toBe(201);
    expect(rows.commits()).toBe(1);
    // Each table is a row too, and its index another.
    expect(await rows.take()).toBeLessThanOrEqual(ROWS_OF_CREATION_MAX);
  });

  it("of a fork is two commits, one before its source is asked, and one row in a source that has a table of forks", async () => {
    const family = new Family();
    const source = await family.create("source", {}, "x".repeat(100_000));
    const inSource = await countRows(source);
    await family.fork("first", source);
    // The source's first fork creates the table of forks: two rows.
    expect([inSource.commits(), await inSource.take()]).toEqual([1, 1 + 2]);
    const inFork = await countRows(family.stream("fork"));
    await family.fork("fork", source);
    expect([inSource.commits(), await inSource.take(), inFork.commits()]).toEqual([2, 1, 2]);
    expect(await inFork.take()).toBeLessThanOrEqual(ROWS_OF_FORK_CREATION_MAX);
  });
});

describe("a stream that is deleted", () => {
  const sizeOf = (edge: Edge): Promise<number> => inObject(edge, (_, { storage }) => storage.sql.databaseSize);

  it("[DE5] leaves no more bytes than one that never was, whatever it held", async () => {
    const family = new Family();
    const nobody = family.stream("nobody");
    expect(await statusOf(nobody, "HEAD")).toBe(404);
    const source = await family.create("source", {}, "x".repeat(2_000_000));
    const fork = await family.fork("fork", source);
    for (let seq = 0; seq < 3; seq += 1) await append(fork, "x".repeat(100_000), producer(seq));
    expect(await sizeOf(source)).toBeGreaterThan(2_000_000);
    for (const stream of [source, fork]) expect(await statusOf(stream, "DELETE")).toBe(204);
    await fireAllAlarms([fork, source]);
    expect([await sizeOf(source), await sizeOf(fork)]).toEqual([await sizeOf(nobody), await sizeOf(nobody)]);
  });
});

it("[IN17] appends set no alarm", async () => {
  const edge = await newStream();
  await runDurableObjectAlarm(edge.stub()); // Notifies the directory.
  await append(edge, "hello");
  expect(await inObject(edge, (_, { storage }) => storage.getAlarm())).toBeNull();
  const mortal = await newStream({ headers: { "Stream-TTL": "1000" } });
  const before = await inObject(mortal, (_, { storage }) => storage.getAlarm());
  await append(mortal, "hello");
  expect(before).not.toBeNull();
  expect(await inObject(mortal, (_, { storage }) => storage.getAlarm())).toBe(before);
});

it("an append of 5 MB spans rows of at most 1 MiB, and is one append", async () => {
  const edge = await newStream();
  const bytes = patternBytes(5_000_000);
  expect((await append(edge, bytes)).status).toBe(204);
  const sizes = await inObject(edge, (_, { storage }) =>
    storage.sql.exec<{ size: number }>("SELECT length(bytes) AS size FROM log ORDER BY position").toArray(),
  );
  expect(sizes.map(({ size }) => size)).toEqual([MIB, MIB, MIB, MIB, 5_000_000 - 4 * MIB]);
  const response = await edge.fetch("?offset=-1");
  const read = new Uint8Array(await response.arrayBuffer());
  expect(read.length).toBe(bytes.length);
  expect(read.every((byte, index) => byte === bytes[index])).toBe(true);
});

describe("a batch that SQLite refuses", () => {
  it("[IN2] leaves no trace, and the next append works", async () => {
    const edge = await newStream({ body: "before;" });
    await failSql(edge, /^INSERT INTO log/, new Error("injected"));
    expect((await append(edge, "lost;")).status).toBe(500);
    expect((await append(edge, "after;")).status).toBe(204);
    await evict(edge);
    expect(await content(edge)).toBe("before;after;");
  });

  it("[IN2] leaves no part of an append that spans rows", async () => {
    const edge = await newStream();
    await inObject(edge, (_, { storage }) => {
      // The third row of the append falls on a place that is taken.
      const sql = "INSERT INTO log (position, committed_at_ms, notes, bytes) VALUES (?, 0, NULL, x'')";
      storage.sql.exec(sql, 2 * MIB);
    });
    expect((await append(edge, patternBytes(3 * MIB))).status).toBe(500);
    const positions = await inObject(edge, (_, { storage }) => storage.sql.exec("SELECT position FROM log").toArray());
    expect(positions).toEqual([{ position: 2 * MIB }]);
  });

  it("[PR12] does not advance its producer", async () => {
    const edge = await newStream();
    expect((await append(edge, "a", producer(0))).status).toBe(200);
    await failSql(edge, /^INSERT INTO log/, new Error("injected"));
    expect((await append(edge, "b", producer(1))).status).toBe(500);
    expect((await append(edge, "c", producer(2))).status).toBe(409);
    expect((await append(edge, "b", producer(1))).status).toBe(200);
    expect(await content(edge)).toBe("ab");
  });
});

it("[IN20] a stream that is only asked for stores nothing", async () => {
  const edge = newEdge();
  const requests: [string, RequestInit][] = [
    ["", {}],
    ["", { method: "HEAD" }],
    ["", { method: "DELETE" }],
    ["?offset=now&live=sse", {}],
    ["?offset=now&live=long-poll", {}],
    ["", { method: "POST", body: "x", headers: { "Content-Type": "text/plain" } }],
  ];
  for (const [query, init] of requests) {
    const response = await edge.fetch(query, init);
    await response.body?.cancel();
    expect(response.status).toBe(404);
  }
  const tables = await inObject(edge, (_, { storage }) => storage.sql.exec("SELECT name FROM sqlite_master").toArray());
  expect(tables).toEqual([]);
});
