import { runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { append, evict, inObject, newStream, readersOf, type Edge } from "./edge.ts";
import { EventReader } from "./events.ts";
import { Family } from "./family.ts";

const TTL = { headers: { "Stream-TTL": "1000" }, body: "hello" };
const WINDOW_MS = 1_000_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date", "performance"] });
});

afterEach(() => {
  vi.useRealTimers();
});

function pass(ms: number): void {
  vi.advanceTimersByTime(ms);
}

async function isThere(edge: Edge): Promise<boolean> {
  return (await edge.fetch("", { method: "HEAD" })).status === 200;
}

/** Whether the object stores nothing at all, alarm included. */
async function isBlank(edge: Edge): Promise<boolean> {
  return inObject(edge, async (_, { storage }) => {
    const tables = storage.sql.exec("SELECT name FROM sqlite_master").toArray();
    return tables.length === 0 && (await storage.getAlarm()) === null;
  });
}

describe("a sliding lifetime", () => {
  const renewals: Record<string, (edge: Edge) => Promise<Response>> = {
    GET: (edge) => edge.fetch("?offset=-1"),
    "GET of the tail": (edge) => edge.fetch("?offset=now"),
    POST: (edge) => append(edge, "x"),
    close: (edge) => edge.fetch("", { method: "POST", headers: { "Stream-Closed": "true" } }),
  };

  it.each(Object.entries(renewals))("[LT4] is renewed by %s", async (_, renew) => {
    const edge = await newStream(TTL);
    pass(WINDOW_MS - 1);
    expect((await renew(edge)).ok).toBe(true);
    pass(WINDOW_MS - 1);
    expect(await isThere(edge)).toBe(true);
    pass(1);
    expect(await isThere(edge)).toBe(false);
  });

  it("is renewed when a live reader's socket breaks, which until then has kept the stream", async () => {
    const edge = await newStream(TTL);
    pass(WINDOW_MS - 1);
    await inObject(edge, (instance) => instance.webSocketError());
    pass(WINDOW_MS - 1);
    expect(await isThere(edge)).toBe(true);
  });

  const others: Record<string, (edge: Edge) => Promise<Response>> = {
    HEAD: (edge) => edge.fetch("", { method: "HEAD" }),
    OPTIONS: (edge) => edge.fetch("", { method: "OPTIONS" }),
    "a refused append": (edge) => append(edge, "{}", { "Content-Type": "application/json" }),
    "a refused read": (edge) => edge.fetch("?offset=0000000000000001_0000000000000001"),
  };

  it.each(Object.entries(others))("[LT5] is not renewed by %s", async (_, request) => {
    const edge = await newStream(TTL);
    pass(WINDOW_MS - 1);
    await request(edge);
    pass(1);
    expect(await isThere(edge)).toBe(false);
  });

  describe("is renewed by a read for as long as that goes on", () => {
    const large = "x".repeat(4 * 1024 * 1024);

    /** A page every minute and a half. */
    async function readSlowly(edge: Edge): Promise<number> {
      const response = await edge.fetch("?offset=-1");
      let size = 0;
      for await (const chunk of response.body ?? []) {
        size += chunk.length;
        pass(90_000);
      }
      return size;
    }

    it("whose pages come from the stream itself", async () => {
      const edge = await newStream({ headers: { "Stream-TTL": "200" }, body: large });
      const beganAtMs = Date.now();
      expect(await readSlowly(edge)).toBe(large.length);
      expect(Date.now() - beganAtMs).toBeGreaterThan(300_000);
      expect(await isThere(edge)).toBe(true);
      pass(200_000);
      expect(await isThere(edge)).toBe(false);
    });

    it("whose pages come from a fork's source: the fork's is, the source's is not", async () => {
      const family = new Family();
      const source = await family.create("source", { "Stream-TTL": "200" }, large);
      const fork = await family.fork("fork", source);
      expect(await readSlowly(fork)).toBe(large.length);
      expect(await isThere(fork)).toBe(true);
      expect((await source.fetch("", { method: "HEAD" })).status).toBe(410);
    });
  });

  it("[LT11] survives evictions, and does not grow by them", async () => {
    const edge = await newStream(TTL);
    for (let round = 0; round < 12; round += 1) {
      pass(10);
      expect((await edge.fetch("?offset=-1")).status).toBe(200);
      await evict(edge);
    }
    pass(WINDOW_MS - 1);
    expect(await isThere(edge)).toBe(true);
    pass(WINDOW_MS / 10 + 1);
    expect(await isThere(edge)).toBe(false);
  });

  it("[LT6] does not end while someone reads live", async () => {
    const edge = await newStream(TTL);
    const reader = new EventReader(await edge.fetch("?live=sse&offset=now"));
    await reader.take(1);
    for (let window = 0; window < 3; window += 1) {
      pass(WINDOW_MS + 1);
      expect(await runDurableObjectAlarm(edge.stub())).toBe(true);
      await evict(edge);
    }
    expect((await append(edge, "still here")).status).toBe(204);
    expect(await reader.take(2)).toEqual(["data:still here", "control@15 up-to-date"]);
    pass(WINDOW_MS / 2);
    await reader.cancel();
    while ((await readersOf(edge)) > 0) await scheduler.wait(5);
    pass(WINDOW_MS - 1);
    expect(await isThere(edge)).toBe(true);
  });
});

describe("the alarm", () => {
  it("[LT12] of an expired stream leaves nothing behind, and the URL free", async () => {
    const edge = await newStream(TTL);
    await append(edge, "x".repeat(100_000));
    pass(WINDOW_MS);
    expect(await runDurableObjectAlarm(edge.stub())).toBe(true);
    expect(await isBlank(edge)).toBe(true);
    expect((await edge.fetch("", { method: "PUT" })).status).toBe(201);
  });

  it("comes again when the lifetime was renewed meanwhile", async () => {
    const edge = await newStream(TTL);
    await runDurableObjectAlarm(edge.stub()); // Notifies the directory.
    const firstMs = await inObject(edge, (_, { storage }) => storage.getAlarm());
    pass(WINDOW_MS / 2);
    await edge.fetch("?offset=-1");
    pass(WINDOW_MS / 2);
    expect(await runDurableObjectAlarm(edge.stub())).toBe(true);
    const secondMs = await inObject(edge, (_, { storage }) => storage.getAlarm());
    expect((secondMs ?? 0) - (firstMs ?? 0)).toBe(WINDOW_MS / 2);
    expect(await isThere(edge)).toBe(true);
  });

  it("[LT7] ends live readers of a stream whose instant has come, event streams and long-polls", async () => {
    const headers = { "Stream-Expires-At": new Date(Date.now() + WINDOW_MS).toISOString() };
    const edge = await newStream({ headers, vars: { LONG_POLL_TIMEOUT_MS: "25000" } });
    const reader = new EventReader(await edge.fetch("?live=sse&offset=now"));
    await reader.take(1);
    const poll = edge.fetch("?live=long-poll&offset=now");
    while (edge.liveReads.count < 2) await scheduler.wait(5);
    pass(WINDOW_MS);
    expect(await runDurableObjectAlarm(edge.stub())).toBe(true);
    expect((await poll).status).toBe(404);
    expect(await reader.take(2)).toEqual(["problem:stream-not-found", "end"]);
    expect(await isBlank(edge)).toBe(true);
  });
});

describe("an expired stream whose alarm has not come yet", () => {
  it("[LT9] is gone for everyone", async () => {
    const edge = await newStream(TTL);
    pass(WINDOW_MS);
    for (const response of [
      await edge.fetch("?offset=-1"),
      await append(edge, "x"),
      await edge.fetch("?offset=now&live=sse"),
    ]) {
      expect(response.status).toBe(404);
    }
  });

  it("[LT9] [DE4] makes way for a new one that has none of its bytes, producers or offsets", async () => {
    const edge = await newStream(TTL);
    const producer = { "Producer-Id": "p", "Producer-Epoch": "5", "Producer-Seq": "0" };
    const old = await append(edge, "old", producer);
    pass(WINDOW_MS);
    expect((await edge.fetch("", { method: "PUT", headers: { "Content-Type": "text/plain" } })).status).toBe(201);
    expect((await edge.fetch(`?offset=${old.headers.get("Stream-Next-Offset")}`)).status).toBe(410);
    expect((await append(edge, "new", { ...producer, "Producer-Epoch": "0" })).status).toBe(200);
    expect(await (await edge.fetch("?offset=-1")).text()).toBe("new");
  });

  it("ends its readers when a new one is made at its URL", async () => {
    const expiresAt = new Date(Date.now() + WINDOW_MS).toISOString();
    const edge = await newStream({ headers: { "Stream-Expires-At": expiresAt } });
    const reader = new EventReader(await edge.fetch("?live=sse&offset=now"));
    await reader.take(1);
    pass(WINDOW_MS);
    expect((await edge.fetch("", { method: "PUT", headers: { "Content-Type": "text/plain" } })).status).toBe(201);
    await append(edge, "new");
    expect(await reader.take(2)).toEqual(["problem:stream-not-found", "end"]);
  });
});

it("[DE5] a deleted stream leaves nothing behind", async () => {
  const edge = await newStream(TTL);
  await append(edge, "x");
  expect((await edge.fetch("", { method: "DELETE" })).status).toBe(204);
  await runDurableObjectAlarm(edge.stub()); // Notifies the directory.
  expect(await isBlank(edge)).toBe(true);
});
