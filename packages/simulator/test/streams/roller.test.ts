import { StoreSilent } from "@durable-streams-cloudflare/core/kit/with-timeout";
import { segmentKey } from "@durable-streams-cloudflare/core/log/segment-rows";
import type { Stream } from "@durable-streams-cloudflare/core/stream/stream";
import { PUT_MS_MAX } from "@durable-streams-cloudflare/core/stream/tiering/roller";
import {
  appendOf,
  createOf,
  newHost,
  START_MS,
  streamOn,
  type Host,
} from "@durable-streams-cloudflare/core/test/stream-fixture";
import { utf8 } from "@durable-streams-cloudflare/testkit";
import { settled, FakeSegmentStore, type StoreFault } from "@durable-streams-cloudflare/testkit/node-host";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { readerOf, readText } from "../../src/drivers/cold-reader.ts";

const LIMITS = { segmentBytes: 20, segmentBytesMin: 5, segmentAgeSeconds: 100 };

let host: Host;
let store: FakeSegmentStore;

beforeEach(() => {
  host = newHost();
  store = new FakeSegmentStore();
  host.segments = store;
});

function streamHere(): Stream {
  return streamOn(host, LIMITS);
}

async function created(command = createOf()): Promise<Stream> {
  const stream = streamHere();
  await stream.create(command);
  return stream;
}

async function fireAlarm(stream: Stream): Promise<void> {
  host.nowMs = Math.max(host.nowMs, host.alarmAtMs ?? 0);
  host.alarmAtMs = undefined;
  await stream.alarm();
}

async function contentOf(stream: Stream): Promise<string> {
  return (await readText(readerOf("project/stream", () => stream, store))).text;
}

function tables(): string[] {
  return host.database.tableNames();
}

function keyOf(first: number, last: number): string {
  const head = streamHere().head();
  const incarnation = head.ok ? head.lineage.incarnation : 0;
  return segmentKey("project/stream", { incarnation, first, last });
}

/** Of the object that was to be written last. */
function keyOfRemoved({ calls }: FakeSegmentStore): string {
  return calls.findLast(({ operation }) => operation === "put")?.key ?? "";
}

describe("[TI1] the log goes to R2", () => {
  it("when it has grown large enough, not before", async () => {
    const stream = await created();
    await stream.append(appendOf("x".repeat(19)));
    expect(host.alarmAtMs).toBe(START_MS + 100_000);
    await stream.append(appendOf("y"));
    expect(host.alarmAtMs).toBe(START_MS + 1_000);
    await fireAlarm(stream);
    expect([...store.objects.keys()]).toEqual([keyOf(0, 20)]);
    expect(tables()).not.toContain("log");
    expect(await contentOf(stream)).toBe(`${"x".repeat(19)}y`);
    expect(await contentOf(streamHere())).toBe(`${"x".repeat(19)}y`);
    expect(host.alarmAtMs).toBeUndefined();
  });

  it("when it has grown old", async () => {
    const stream = await created();
    await stream.append(appendOf("hello"));
    host.nowMs += 99_000;
    await stream.append(appendOf("!"));
    await fireAlarm(stream);
    expect(host.nowMs).toBe(START_MS + 100_000);
    expect([...store.objects.keys()]).toEqual([keyOf(0, 6)]);
    await stream.append(appendOf("again"));
    expect(host.alarmAtMs).toBe(host.nowMs + 100_000);
    await fireAlarm(stream);
    expect([...store.objects.keys()]).toEqual([keyOf(0, 6), keyOf(6, 11)]);
    expect(await contentOf(stream)).toBe("hello!again");
  });

  it("when the stream is closed, and it stays closed, also in a later instance of the object", async () => {
    const stream = await created();
    const producer = { id: "p", epoch: 0, seq: 0 };
    await stream.append(appendOf("hello", { close: true, producer }));
    await fireAlarm(stream);
    expect([...store.objects.keys()]).toEqual([keyOf(0, 5)]);
    for (const each of [stream, streamHere()]) {
      expect(each.head()).toMatchObject({ closed: true, tail: 5 });
      expect(await each.append(appendOf("x"))).toMatchObject({ problem: { code: "stream-closed" } });
      expect(await each.append(appendOf("hello", { close: true, producer }))).toMatchObject({ outcome: "duplicate" });
      expect(await contentOf(each)).toBe("hello");
    }
  });

  it.each([{ age: 0 }, { age: 100 }])("never as long as it is tiny, at an age of $age", async ({ age }) => {
    const stream = streamOn(host, { ...LIMITS, segmentAgeSeconds: age });
    await stream.create(createOf());
    await stream.append(appendOf("1234"));
    await stream.append(appendOf("", { close: true }));
    expect(host.alarmAtMs).toBeUndefined();
    host.nowMs += 1_000_000;
    await fireAlarm(stream);
    expect(store.calls).toEqual([]);
  });

  it("never without a store, and everything works as it does", async () => {
    host.segments = undefined;
    const stream = await created();
    await stream.append(appendOf("x".repeat(100)));
    await stream.append(appendOf("", { close: true }));
    await fireAlarm(stream);
    expect(host.alarmAtMs).toBeUndefined();
    expect(tables()).toContain("log");
    expect(await contentOf(stream)).toBe("x".repeat(100));
  });

  it("with at most two alarms set for a segment, however many appends it has", async () => {
    const stream = await created();
    for (let index = 0; index < 30; index += 1) await stream.append(appendOf("."));
    expect(host.alarmsSet).toBe(2);
    await fireAlarm(stream);
    const before = host.alarmsSet;
    for (let index = 0; index < 30; index += 1) await stream.append(appendOf("."));
    expect(host.alarmsSet - before).toBe(2);
  });

  it("all at once when it was created with that much", async () => {
    const stream = await created(createOf({ bytes: new Uint8Array(20) }));
    await fireAlarm(stream);
    expect([...store.objects.keys()]).toEqual([keyOf(0, 20)]);
  });
});

describe("[TI2] what the rows said stays known when they have gone", () => {
  it("producers, Stream-Seq, and the attempts of the last seconds", async () => {
    const stream = await created();
    const producer = { id: "p", epoch: 3, seq: 0 };
    await stream.append(appendOf("a".repeat(10), { producer, streamSeq: "m" }));
    await stream.append(appendOf("b".repeat(10), { attempt: "once" }));
    await fireAlarm(stream);
    expect(tables()).not.toContain("log");
    const restarted = streamHere();
    expect(await restarted.append(appendOf("b".repeat(10), { attempt: "once" }))).toMatchObject({
      ok: true,
      tail: 20,
    });
    expect(await restarted.append(appendOf("a", { producer }))).toMatchObject({ outcome: "duplicate" });
    expect(await restarted.append(appendOf("c", { streamSeq: "a" }))).toMatchObject({
      problem: { code: "stream-seq-regression" },
    });
    expect(await restarted.append(appendOf("c", { streamSeq: "n" }))).toMatchObject({ tail: 21 });
    expect(await contentOf(restarted)).toBe(`${"a".repeat(10)}${"b".repeat(10)}c`);
  });

  it("a renewal of the lifetime by an append", async () => {
    const stream = await created(createOf({ lifetime: { kind: "ttl", ttlSeconds: 1_000 } }));
    host.nowMs += 900_000;
    await stream.append(appendOf("x".repeat(20)));
    await fireAlarm(stream);
    expect(tables()).not.toContain("log");
    host.nowMs = START_MS + 1_800_000;
    expect(streamHere().head().ok).toBe(true);
  });
});

describe("[TI1] appends go on while a segment is written", () => {
  it("into the next table, and nothing is lost or twice there", async () => {
    const stream = await created();
    await stream.append(appendOf("x".repeat(20)));
    store.failNext("put", "held");
    const firing = fireAlarm(stream);
    while (store.heldCount === 0) await settled();
    await stream.append(appendOf("more"));
    expect(await contentOf(stream)).toBe(`${"x".repeat(20)}more`);
    store.release();
    await firing;
    expect(await contentOf(stream)).toBe(`${"x".repeat(20)}more`);
    expect(tables()).toContain("log_20");
  });

  it("and are seen to between any two of its steps", async () => {
    const stream = await created();
    await stream.append(appendOf("x".repeat(20)));
    const steps: string[] = [];
    vi.spyOn(host, "nextTurn").mockImplementation(async () => void steps.push("turn"));
    const put = store.put.bind(store);
    vi.spyOn(store, "put").mockImplementation((...upload) => {
      steps.push("upload");
      return put(...upload);
    });
    const tables = { ...host.database.tables };
    vi.spyOn(host.database.tables, "createPartition").mockImplementation((...partition) => {
      steps.push("CREATE TABLE");
      tables.createPartition(...partition);
    });
    vi.spyOn(host.database.tables, "dropPartition").mockImplementation((...partition) => {
      steps.push("DROP TABLE");
      tables.dropPartition(...partition);
    });
    await fireAlarm(stream);
    expect(steps).toEqual(["CREATE TABLE", "turn", "upload", "turn", "DROP TABLE", "turn"]);
  });

  it("and so do reads that a roll overtakes", async () => {
    const stream = await created();
    for (const letter of "abcdef") await stream.append(appendOf(letter.repeat(10)));
    const result = stream.read({ from: { kind: "start" }, ifNoneMatch: null, paging: "bytes" });
    await fireAlarm(stream);
    expect(tables()).not.toContain("log");
    const [stretch] = result.ok ? result.stretches : [];
    const page = stretch && stream.page({ ...stretch, from: 30, paging: "bytes" });
    const slices = [
      { key: keyOf(20, 40), from: 30, to: 40 },
      { key: keyOf(40, 60), from: 40, to: 60 },
    ];
    expect(page).toMatchObject({ ok: true, cold: slices });
  });
});

describe.each<StoreFault>(["refused", "lost"])("when an upload is %s", (fault) => {
  it("[TI4] the bytes stay where they are until it works", async () => {
    const stream = await created();
    await stream.append(appendOf("x".repeat(20)));
    store.failNext("put", fault);
    await fireAlarm(stream);
    expect(host.reports).toHaveLength(1);
    expect(tables()).toEqual(expect.arrayContaining(["log", "log_20"]));
    expect(await contentOf(stream)).toBe("x".repeat(20));
    await stream.append(appendOf("y".repeat(20)));
    // Not at once: the store is left alone for a while.
    expect(host.alarmAtMs).toBeGreaterThanOrEqual(START_MS + 30_000);
    await fireAlarm(stream);
    expect([...store.objects.keys()]).toEqual([keyOf(0, 20), keyOf(20, 40)]);
    expect(tables()).not.toEqual(expect.arrayContaining(["log", "log_20"]));
    expect(await contentOf(streamHere())).toBe(`${"x".repeat(20)}${"y".repeat(20)}`);
  });
});

describe("a store that is silent", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  async function fireAlarmInVain(stream: Stream): Promise<void> {
    const firing = fireAlarm(stream);
    while (store.heldCount === 0) await settled();
    await vi.advanceTimersByTimeAsync(PUT_MS_MAX);
    await firing;
    expect(host.reports.at(-1)?.error).toBeInstanceOf(StoreSilent);
  }

  it.each<{ operation: "put" | "get"; earlier: StoreFault[] }>([
    { operation: "put", earlier: [] },
    // What an earlier try has written is looked at.
    { operation: "get", earlier: ["lost"] },
  ])("when asked to $operation is asked again later, and the bytes stay where they are", async (silence) => {
    const stream = await created();
    await stream.append(appendOf("x".repeat(20)));
    for (const fault of silence.earlier) {
      store.failNext("put", fault);
      await fireAlarm(stream);
    }
    store.failNext(silence.operation, "held");
    await fireAlarmInVain(stream);
    expect(tables()).toContain("log");
    expect(await contentOf(stream)).toBe("x".repeat(20));
    await fireAlarm(stream);
    expect(tables()).not.toContain("log");
    expect(await contentOf(stream)).toBe("x".repeat(20));
  });

  it.each(["list", "delete"] as const)("when asked to %s after a removal is asked again later", async (operation) => {
    const stream = await created();
    await stream.append(appendOf("x".repeat(20)));
    await fireAlarm(stream);
    await stream.remove();
    store.failNext(operation, "held");
    await fireAlarmInVain(stream);
    expect(store.objects.size).toBe(1);
    while (host.alarmAtMs !== undefined) await fireAlarm(stream);
    expect(store.objects.size).toBe(0);
    expect(tables()).toEqual([]);
  });
});

it("[TI5] an object that is not the segment is never taken for it: the bytes stay in the log", async () => {
  const stream = await created();
  await stream.append(appendOf("x".repeat(20)));
  store.objects.set(keyOf(0, 20), new Uint8Array(1_000));
  await fireAlarm(stream);
  await fireAlarm(stream);
  expect(host.reports).toHaveLength(2);
  expect(host.reports[0]?.error).toMatchObject({ name: "SegmentError" });
  expect(tables()).toContain("log");
  expect(await contentOf(stream)).toBe("x".repeat(20));
});

describe.each([
  { about: "table", statement: /^CREATE TABLE log_/ },
  { about: "checkpoint", statement: /^UPDATE stream SET checkpoint/ },
  { about: "index", statement: /^INSERT INTO segments/ },
  { about: "drop", statement: /^DROP TABLE log/ },
])("when SQLite refuses the $about", ({ statement }) => {
  it("nothing is half done, and the next alarm does it", async () => {
    const stream = await created();
    await stream.append(appendOf("x".repeat(20), { producer: { id: "p", epoch: 0, seq: 0 } }));
    host.database.failOnce(statement, new Error("disk full"));
    await fireAlarm(stream);
    expect(host.reports).toHaveLength(1);
    expect(await contentOf(stream)).toBe("x".repeat(20));
    expect(await contentOf(streamHere())).toBe("x".repeat(20));
    await stream.append(appendOf("y"));
    await fireAlarm(stream);
    expect(await contentOf(stream)).toMatch(/^x{20}y$/);
    expect(await contentOf(streamHere())).toMatch(/^x{20}y$/);
    expect(store.objects.size).toBe(1);
  });
});

it("a stream that is deleted while it is uploaded is no fault", async () => {
  const stream = await created();
  await stream.append(appendOf("x".repeat(20)));
  store.failNext("put", "held");
  const rolling = fireAlarm(stream);
  while (store.heldCount === 0) await settled();
  await stream.remove();
  // What is read of a table that is gone.
  store.failNext("get", "missing");
  store.objects.set(keyOfRemoved(store), new Uint8Array(1));
  store.release();
  await rolling;
  expect(host.reports).toEqual([]);
});

it("an upload that arrives after its object died and the stream was deleted is found and deleted", async () => {
  const stream = await created();
  await stream.append(appendOf("x".repeat(20)));
  store.failNext("put", "held");
  const dead = fireAlarm(stream);
  while (store.heldCount === 0) await settled();
  const next = streamHere();
  await next.remove();
  await fireAlarm(next);
  expect(store.calls.map(({ operation }) => operation)).toContain("list");
  store.release();
  await dead;
  expect(store.objects.size).toBe(1);
  while (host.alarmAtMs !== undefined) await fireAlarm(next);
  expect(store.objects.size).toBe(0);
  expect(tables()).toEqual([]);
});

describe.each<{ operation: "list" | "delete"; fault: StoreFault }>([
  { operation: "list", fault: "refused" },
  { operation: "delete", fault: "refused" },
  { operation: "delete", fault: "lost" },
])("$operation, $fault after a removal,", ({ operation, fault }) => {
  it("is tried again until nothing is left, and a new stream at the URL is not touched", async () => {
    const stream = await created();
    for (const text of ["x".repeat(20), "y".repeat(20)]) {
      await stream.append(appendOf(text));
      await fireAlarm(stream);
    }
    expect(store.objects.size).toBe(2);
    await stream.remove();
    store.failNext(operation, fault);
    await fireAlarm(stream);
    expect(host.reports).toHaveLength(1);
    await stream.create(createOf({ bytes: utf8("z".repeat(20)) }));
    await fireAlarm(stream);
    await fireAlarm(stream);
    expect(store.objects.size).toBe(1);
    expect(await contentOf(stream)).toBe("z".repeat(20));
    await stream.remove();
    while (host.alarmAtMs !== undefined) await fireAlarm(stream);
    expect(store.objects.size).toBe(0);
    expect(tables()).toEqual([]);
  });
});

it("[TI6] an expired stream gives up its objects, also when a new one is made in its place", async () => {
  const stream = await created(createOf({ lifetime: { kind: "ttl", ttlSeconds: 1_000 } }));
  await stream.append(appendOf("x".repeat(20)));
  await fireAlarm(stream);
  host.nowMs += 2_000_000;
  await stream.create(createOf({ bytes: utf8("new") }));
  await fireAlarm(stream);
  expect(store.objects.size).toBe(0);
  expect(await contentOf(stream)).toBe("new");
});
