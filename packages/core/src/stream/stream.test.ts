import type { OffsetRef } from "@durable-streams-cloudflare/protocol";
import { textOf } from "@durable-streams-cloudflare/testkit";
import { describe, expect, it, vi } from "vitest";

import { appendOf, contentOf, createOf, newHost, START_MS, streamOn, type Host } from "../../test/stream-fixture.ts";
import { CLOSE_BEHIND, CLOSE_GONE, decodeFrame } from "../contracts/live-frame.ts";
import { rowNotesSince } from "../log/log-rows.ts";
import type { Stream } from "./stream.ts";

const TTL = { lifetime: { kind: "ttl", ttlSeconds: 100 } } as const;
const FROM_START = { from: { kind: "start" }, ifNoneMatch: null, paging: "bytes" } as const;

async function newStream(command = createOf()): Promise<{ host: Host; stream: Stream }> {
  const host = newHost();
  const stream = streamOn(host);
  await stream.create(command);
  return { host, stream };
}

describe("a batch that cannot be written", () => {
  const producer = { id: "p", epoch: 0, seq: 0 };

  describe("a page for events", () => {
    const MIB = 1024 * 1024;
    const appendsFrom = (stream: Stream, from: OffsetRef) =>
      stream.read({ from, ifNoneMatch: null, paging: "appends" });

    it.each([1, MIB])("holds an append of %d bytes as a whole, and ends there", async (size) => {
      const { stream } = await newStream();
      await stream.append(appendOf("x".repeat(size)));
      await stream.append(appendOf("y".repeat(MIB)));
      expect(appendsFrom(stream, { kind: "start" })).toMatchObject({ ok: true, end: size, page: { length: size } });
    });

    it("holds only the beginning of a larger append, and says where that ends", async () => {
      const { stream } = await newStream();
      await stream.append(appendOf("x".repeat(3 * MIB)));
      await stream.append(appendOf("y"));
      const read = appendsFrom(stream, { kind: "start" });
      expect(read).toMatchObject({ ok: true, end: 3 * MIB, tail: 3 * MIB + 1 });
      expect(read.ok && read.page.length).toBeLessThanOrEqual(MIB);
    });
  });

  it("[IN2] leaves no trace, and its producer may send it again", async () => {
    const { host, stream } = await newStream();
    host.database.failOnce(/^INSERT INTO log/, new Error("disk full"));
    await expect(stream.append(appendOf("a", { producer, streamSeq: "s", close: true }))).rejects.toThrow("disk full");
    expect(contentOf(stream)).toBe("");
    expect(stream.head()).toMatchObject({ tail: 0, closed: false });
    expect(await stream.append(appendOf("a", { producer, streamSeq: "s" }))).toMatchObject({ outcome: "appended" });
    expect(contentOf(streamOn(host))).toBe("a");
  });

  it("[IN2] fails as a whole: no part of a large append stays behind", async () => {
    const { host, stream } = await newStream();
    const large = "x".repeat(1024 * 1024);
    host.database.failOnce(/^INSERT INTO log/, new Error("first row"));
    await expect(stream.append(appendOf(`${large}y`))).rejects.toThrow("first row");
    expect(rowNotesSince(host.database, 0, 0)).toEqual([]);
  });

  it("[IN8] is not sent to live readers", async () => {
    const { host, stream } = await newStream();
    const socket = host.attach(0);
    host.database.failOnce(/^INSERT INTO log/, new Error("disk full"));
    await expect(stream.append(appendOf("lost"))).rejects.toThrow("disk full");
    await stream.append(appendOf("kept"));
    expect(socket.messages.map((message) => textOf(decodeFrame(message)?.bytes ?? new Uint8Array()))).toEqual(["kept"]);
  });
});

describe("a sliding lifetime", () => {
  it("[LT4] [LT5] is renewed by appends, reads and confirming creates, not by head", async () => {
    const renewals: Record<string, (stream: Stream) => unknown> = {
      append: (stream) => stream.append(appendOf("x")),
      read: (stream) => stream.read(FROM_START),
      attach: (stream) => stream.attach({ kind: "now" }),
      create: (stream) => stream.create(createOf(TTL)),
    };
    for (const renew of Object.values(renewals)) {
      const { host, stream } = await newStream(createOf(TTL));
      host.nowMs += 99_999;
      await renew(stream);
      host.nowMs += 99_999;
      expect(stream.head().ok).toBe(true);
      host.nowMs += 1;
      expect(stream.head()).toMatchObject({ ok: false, problem: { code: "stream-not-found" } });
    }
  });

  it("is not renewed by a live reader that gets no slot", async () => {
    const host = newHost();
    const stream = streamOn(host, { readersMax: 1 });
    await stream.create(createOf(TTL));
    expect(stream.attach({ kind: "now" })).toMatchObject({ ok: true, status: "live" });
    const waiting = host.attach(0);
    host.nowMs += 60_000;
    expect(stream.attach({ kind: "now" })).toMatchObject({ ok: false, problem: { code: "readers-full" } });
    host.detach(waiting);
    host.nowMs += 40_000;
    expect(stream.head()).toMatchObject({ ok: false, problem: { code: "stream-not-found" } });
  });

  it("[LT11] never ends early because of restarts, and at most 10 % of the TTL late", async () => {
    for (const useMs of [1_000, 9_999, 10_000, 55_555]) {
      const { host, stream } = await newStream(createOf(TTL));
      host.nowMs += useMs;
      stream.read(FROM_START);
      host.nowMs += 99_999;
      expect(streamOn(host).head().ok).toBe(true);
      host.nowMs += 10_001;
      expect(streamOn(host).head().ok).toBe(false);
    }
  });

  it("[LT11] grows by no restart: a stream that is restarted all the time ends like any other", async () => {
    const { host } = await newStream(createOf(TTL));
    for (let restart = 0; restart < 50; restart += 1) {
      host.nowMs += 10;
      streamOn(host).read(FROM_START);
    }
    host.nowMs += 110_000;
    expect(streamOn(host).head().ok).toBe(false);
  });

  it("is renewed on disk, too, by a producer that only sends duplicates", async () => {
    const producer = { id: "p", epoch: 0, seq: 0 };
    const { host, stream } = await newStream(createOf(TTL));
    await stream.append(appendOf("x", { producer }));
    for (let repeat = 0; repeat < 10; repeat += 1) {
      host.nowMs += 50_000;
      expect(await stream.append(appendOf("x", { producer }))).toMatchObject({ outcome: "duplicate" });
    }
    host.nowMs += 99_999;
    expect(streamOn(host).head().ok).toBe(true);
  });

  it("writes at most one row per tenth of the window, however much is read", async () => {
    const { host, stream } = await newStream(createOf(TTL));
    const before = host.database.rowsWritten;
    for (let read = 0; read < 1_000; read += 1) {
      host.nowMs += 100;
      stream.read(FROM_START);
    }
    expect(host.database.rowsWritten - before).toBe(10);
  });

  it("[LT6] does not end while somebody reads live, nor for a window after they left", async () => {
    const { host, stream } = await newStream(createOf(TTL));
    const socket = host.attach(0);
    for (let window = 0; window < 5; window += 1) {
      host.nowMs = host.alarmAtMs ?? 0;
      await stream.alarm();
    }
    host.nowMs += 99_000;
    host.detach(socket);
    stream.readerLeft();
    host.nowMs += 99_000;
    expect(stream.head().ok).toBe(true);
    host.nowMs += 1_000;
    expect(stream.head().ok).toBe(false);
  });
});

describe("the alarm", () => {
  it("[IN17] comes when the lifetime may end, and again when it was renewed; an append sets none", async () => {
    const { host, stream } = await newStream(createOf(TTL));
    expect(host.alarmAtMs).toBe(START_MS + 100_000);
    host.nowMs += 60_000;
    await stream.append(appendOf("x"));
    expect(host.alarmsSet).toBe(1);
    host.nowMs = START_MS + 100_000;
    await stream.alarm();
    expect(host.alarmAtMs).toBe(START_MS + 160_000);
    expect(contentOf(stream)).toBe("x");
  });

  it("[LT12] of an expired stream leaves nothing, ends its readers, and makes way for a new one", async () => {
    const { host, stream } = await newStream(createOf({ lifetime: { kind: "at", expiresAtMs: START_MS + 10 } }));
    const socket = host.attach(0);
    host.nowMs += 10;
    await stream.alarm();
    expect(host.database.tableNames()).toEqual([]);
    expect(socket.closed?.code).toBe(CLOSE_GONE);
    expect(await stream.create(createOf())).toMatchObject({ created: true });
  });

  it("without a stream does nothing", async () => {
    const host = newHost();
    await streamOn(host).alarm();
    expect(host.alarmAtMs).toBeUndefined();
  });
});

it("[DE4] a stream made anew over an expired one ends the readers of the old, who would take its bytes for theirs", async () => {
  const { host, stream } = await newStream(createOf({ lifetime: { kind: "at", expiresAtMs: START_MS + 10 } }));
  const socket = host.attach(0);
  host.nowMs += 10;
  await stream.create(createOf());
  await stream.append(appendOf("new"));
  expect(socket).toMatchObject({ messages: [], closed: { code: CLOSE_GONE } });
});

it("after a restart, readers that do not stand at the tail are turned away before anything else", async () => {
  const { host, stream } = await newStream();
  await stream.append(appendOf("abc"));
  const [behind, current] = [host.attach(0), host.attach(3)];
  streamOn(host).head();
  expect(behind.closed?.code).toBe(CLOSE_BEHIND);
  expect(current.closed).toBeUndefined();
});

it("[IN20] a stream that is only asked for stores nothing", async () => {
  const host = newHost();
  const stream = streamOn(host);
  stream.head();
  stream.read(FROM_START);
  await stream.append(appendOf("x"));
  await stream.remove();
  expect(host.database.tableNames()).toEqual([]);
  expect(host.alarmsSet).toBe(0);
});

describe("an object that is nearly full", () => {
  const FULL_BYTES = 9_500_000_001;

  it("[DU2] refuses appends with 507 and keeps what it has; closed and wrong types are reported first", async () => {
    const { host, stream: earlier } = await newStream();
    await earlier.append(appendOf("kept"));
    host.storedBytes = FULL_BYTES;
    const stream = streamOn(host);
    expect(await stream.append(appendOf("x"))).toMatchObject({ ok: false, problem: { code: "storage-full" } });
    const other = appendOf("{}", { contentType: "application/json" });
    expect(await stream.append(other)).toMatchObject({ ok: false, problem: { code: "content-type-mismatch" } });
    expect(contentOf(stream)).toBe("kept");
  });

  it("[DU2] can still be closed, and accepts appends again when it has room", async () => {
    const { host, stream } = await newStream();
    host.storedBytes = FULL_BYTES;
    expect(await stream.append(appendOf("x"))).toMatchObject({ ok: false, problem: { code: "storage-full" } });
    host.storedBytes = FULL_BYTES - 1;
    expect((await stream.append(appendOf("y"))).ok).toBe(true);
    host.storedBytes = FULL_BYTES;
    expect((await stream.append(appendOf("", { close: true }))).ok).toBe(true);
    expect(await stream.append(appendOf("z"))).toMatchObject({ ok: false, problem: { code: "stream-closed" } });
    expect(contentOf(stream)).toBe("y");
  });

  it("is asked for its size before the bytes since then could have filled it, and not at every append", async () => {
    const { host, stream } = await newStream();
    host.storedBytes = FULL_BYTES - 1_000_000;
    const sizesAsked = vi.spyOn(host, "databaseBytes");
    for (let count = 0; count < 7; count += 1) expect((await stream.append(appendOf("12345678"))).ok).toBe(true);
    expect(sizesAsked).toHaveBeenCalledTimes(1);
    host.storedBytes = FULL_BYTES;
    const large = "x".repeat(300_000);
    expect(await stream.append(appendOf(large))).toMatchObject({ ok: false, problem: { code: "storage-full" } });
  });
});
