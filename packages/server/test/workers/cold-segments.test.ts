import { segmentPrefix } from "@durable-streams-cloudflare/core/log/segment-rows";
import { patternBytes } from "@durable-streams-cloudflare/testkit";
import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";

import { append, close, evict, inObject, newEdge, newStream, problemCode, readersOf, type Edge } from "./edge.ts";
import { EventReader } from "./events.ts";
import { Family, isBlank } from "./family.ts";
import { failSql } from "./rows.ts";

const APPEND_BYTES = 700_001;
/** A little more than `SEGMENT_BYTES`. */
const APPENDS = 13;

/** A stream of text whose bytes say at which position they are. */
interface Filled {
  readonly edge: Edge;
  readonly text: string;
  /** Where each append ended. */
  readonly offsets: readonly string[];
}

const pattern = Array.from(patternBytes(2 * APPEND_BYTES), (byte) => String.fromCharCode(97 + (byte % 26))).join("");

function textOf(salt: number, size = APPEND_BYTES): string {
  return pattern.slice(salt * 1_009, salt * 1_009 + size);
}

async function fill(edge: Edge, appends = APPENDS): Promise<Filled> {
  const offsets: string[] = [];
  let text = "";
  for (let index = 0; index < appends; index += 1) {
    const part = textOf(index);
    const response = await append(edge, part);
    if (response.status !== 204) throw new Error(`POST was answered ${response.status}`);
    offsets.push(response.headers.get("Stream-Next-Offset") ?? "");
    text += part;
  }
  return { edge, text, offsets };
}

/** A stream whose first appends are in R2, and whose last ones are not. */
async function rolled(edge?: Edge): Promise<Filled> {
  const filled = await fill(edge ?? (await newStream()));
  await runDurableObjectAlarm(filled.edge.stub());
  expect(await logTables(filled.edge)).toEqual([`log_${filled.text.length}`]);
  const hot = await fill(filled.edge, 2);
  return { edge: filled.edge, text: filled.text + hot.text, offsets: [...filled.offsets, ...hot.offsets] };
}

function logTables(edge: Edge): Promise<unknown[]> {
  return inObject(edge, (_, { storage }) =>
    storage.sql
      .exec("SELECT name FROM sqlite_master WHERE name GLOB 'log*'")
      .toArray()
      .map(({ name }) => name),
  );
}

async function objectsOf(edge: Edge): Promise<string[]> {
  const name = await inObject(edge, (_, { id }) => id.name ?? "");
  const { objects } = await env.SEGMENTS.list({ prefix: `v1/${name}//` });
  return objects.map(({ key }) => key);
}

/** R2 as the edge sees it, with something about `get` changed. */
function bucketWith(get: (key: string, options: R2GetOptions) => Promise<R2ObjectBody | null>): R2Bucket {
  return new Proxy(env.SEGMENTS, {
    get: (target, name) => (name === "get" ? get : (Reflect.get(target, name) as unknown)),
  });
}

const slowBucket = (): R2Bucket =>
  bucketWith(async (key, options) => {
    await scheduler.wait(30);
    return env.SEGMENTS.get(key, options);
  });

const deadBucket = (): R2Bucket =>
  bucketWith(async () => {
    throw new Error("R2 is not there.");
  });

/** Time goes on from alarm to alarm. */
async function fireAlarmsUntilQuiet(edge: Edge): Promise<void> {
  vi.useFakeTimers({ toFake: ["Date"] });
  while (await runDurableObjectAlarm(edge.stub())) vi.setSystemTime(Date.now() + 300_000);
  vi.useRealTimers();
}

/** An offset that a client makes from one. */
function later(offset: string | undefined, by: number): string {
  const [incarnation = "", position = ""] = (offset ?? "").split("_");
  return `${incarnation}_${String(Number(position) + by).padStart(16, "0")}`;
}

/** Lengths are compared first: a difference of megabytes helps nobody. */
function expectSame(found: string, expected: string): void {
  expect(found.length).toBe(expected.length);
  expect(found === expected).toBe(true);
}

describe("a stream that is partly in R2", () => {
  it("[TI2] [IN7] is read from every offset, cold and hot alike, also after its object was restarted", async () => {
    const { edge, text, offsets } = await rolled();
    expect(await objectsOf(edge)).toHaveLength(1);
    for (let life = 0; life < 2; life += 1) {
      expectSame(await (await edge.fetch("?offset=-1")).text(), text);
      for (const [index, offset] of offsets.entries()) {
        if (index % 3 > 0) continue;
        const response = await edge.fetch(`?offset=${offset}`);
        expect(response.headers.get("Stream-Next-Offset")).toBe(offsets.at(-1));
        expect(response.headers.get("Stream-Up-To-Date")).toBe("true");
        expectSame(await response.text(), text.slice((index + 1) * APPEND_BYTES));
      }
      await evict(edge);
    }
  });

  it.each(["", "&live=long-poll"])(
    "[TI2] [OF13] begins at the append that an offset is inside of (%s)",
    async (live) => {
      const { edge, text, offsets } = await rolled();
      for (const past of [1, APPEND_BYTES - 1]) {
        const response = await edge.fetch(`?offset=${later(offsets[3], past)}${live}`);
        expectSame(await response.text(), text.slice(4 * APPEND_BYTES));
      }
    },
  );

  it("refuses an offset inside its first append, which would return all of it", async () => {
    const { edge, offsets } = await rolled();
    const response = await edge.fetch(`?offset=${later(offsets[0], -1)}`);
    expect([response.status, await problemCode(response)]).toEqual([400, "offset-invalid"]);
  });

  it("begins at the append that an offset is inside of, live", async () => {
    const { edge, text, offsets } = await rolled();
    await close(edge);
    const reader = new EventReader(await edge.fetch(`?live=sse&offset=${later(offsets[3], 1)}`));
    expectSame(await reader.untilClosed(), text.slice(4 * APPEND_BYTES));
  });

  it("[TI2] [SS22] is read live from a cold offset, in order, while R2 is slow and appends go on", async () => {
    const { edge, text, offsets } = await rolled(await newStream({ segments: slowBucket() }));
    const reader = new EventReader(await edge.fetch(`?live=sse&offset=${offsets[1]}`));
    const reading = reader.untilClosed();
    let rest = text.slice(2 * APPEND_BYTES);
    for (let index = 0; index < 20; index += 1) {
      const part = textOf(index, 1_000);
      await append(edge, part);
      rest += part;
    }
    await close(edge);
    expectSame(await reading, rest);
  });

  it("is polled from a cold offset: all at once, then what comes", async () => {
    const { edge, text, offsets } = await rolled(await newStream({ segments: slowBucket() }));
    const cold = await edge.fetch(`?live=long-poll&offset=${offsets[4]}`);
    expectSame(await cold.text(), text.slice(5 * APPEND_BYTES));
    const next = edge.fetch(`?live=long-poll&offset=${cold.headers.get("Stream-Next-Offset")}`);
    while ((await readersOf(edge)) === 0) await scheduler.wait(5);
    await append(edge, "next");
    expect(await (await next).text()).toBe("next");
  });

  it("[SS22] keeps SSE readers that wait at its tail while it rolls", async () => {
    const { edge } = await fill(await newStream());
    const reader = new EventReader(await edge.fetch("?live=sse&offset=now"));
    await reader.take(1);
    await runDurableObjectAlarm(edge.stub());
    expect(await logTables(edge)).toHaveLength(1);
    await append(edge, "after");
    expect((await reader.next())?.data).toBe("after");
    await reader.cancel();
  });

  it("[JS2] [TI2] as JSON is one array across the border", async () => {
    const edge = await newStream({ contentType: "application/json" });
    const messages = Array.from({ length: APPENDS }, (_, index) => textOf(index));
    const post = (message: string) => append(edge, JSON.stringify(message), { "Content-Type": "application/json" });
    for (const message of messages) await post(message);
    await runDurableObjectAlarm(edge.stub());
    expect(await logTables(edge)).not.toContain("log");
    await post("hot");
    expect(await (await edge.fetch("?offset=-1")).json()).toEqual([...messages, "hot"]);
  });
});

describe("a fork of a stream in R2", () => {
  it("[FK11] reads its source's segments, also when the source is deleted; they go with the last fork", async () => {
    const family = new Family();
    const source = await family.create("source");
    const { text, offsets } = await rolled(source);
    const fork = await family.fork("fork", source, { "Stream-Fork-Offset": offsets[2] ?? "" });
    await append(fork, "own");
    await source.fetch("", { method: "DELETE" });
    await runDurableObjectAlarm(source.stub());
    expectSame(await (await fork.fetch("?offset=-1")).text(), `${text.slice(0, 3 * APPEND_BYTES)}own`);
    expect(await objectsOf(source)).toHaveLength(1);
    await fork.fetch("", { method: "DELETE" });
    await runDurableObjectAlarm(fork.stub());
    await fireAlarmsUntilQuiet(source);
    expect(await objectsOf(source)).toEqual([]);
    expect(await isBlank(source)).toBe(true);
  });

  it("begins where the append does that its offset is inside of, and counts its sub-offset, although both need R2", async () => {
    const family = new Family();
    const source = await family.create("source");
    const { text, offsets } = await rolled(source);
    const inside = await family.fork("inside", source, { "Stream-Fork-Offset": later(offsets[3], 1) });
    expectSame(await (await inside.fetch("?offset=-1")).text(), text.slice(0, 4 * APPEND_BYTES));
    const inherited = await inside.fetch(`?offset=${later(offsets[1], 1)}`);
    expectSame(await inherited.text(), text.slice(2 * APPEND_BYTES, 4 * APPEND_BYTES));
    const headers = { "Stream-Fork-Offset": offsets[0] ?? "", "Stream-Fork-Sub-Offset": "5" };
    const fork = await family.fork("good", source, headers);
    expectSame(await (await fork.fetch("?offset=-1")).text(), text.slice(0, APPEND_BYTES + 5));
  });
});

describe("R2 that does not answer", () => {
  it.each(["", "&live=long-poll", "&live=sse"])("[TI4] is a 503 that says so, before any header (%s)", async (live) => {
    const { edge, offsets } = await rolled(await newStream({ segments: deadBucket() }));
    const response = await edge.fetch(`?offset=${offsets[0]}${live}`);
    expect(response.status).toBe(503);
    expect(response.headers.get("Retry-After")).toBe("1");
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    expect(await problemCode(response)).toBe("segment-unavailable");
  });

  it("[TI4] does not affect readers of what is hot", async () => {
    const { edge, text, offsets } = await rolled(await newStream({ segments: deadBucket() }));
    const response = await edge.fetch(`?offset=${offsets.at(-3)}`);
    expectSame(await response.text(), text.slice(-2 * APPEND_BYTES));
  });

  it("that is not bound is reported as such, in every mode", async () => {
    const { edge, offsets } = await rolled(await newStream({ segments: null }));
    for (const query of ["?offset=-1", `?offset=${offsets[0]}&live=long-poll`, "?offset=-1&live=sse"]) {
      const response = await edge.fetch(query);
      expect(response.status).toBe(503);
      expect(await response.json()).toMatchObject({
        code: "segment-unavailable",
        hint: expect.stringContaining("SEGMENTS") as string,
      });
    }
  });

  it("[TI4] in the middle of a body breaks it off: a reader never takes a part for the whole", async () => {
    let gets = 0;
    const dying = bucketWith(async (key, options) => {
      gets += 1;
      const range = options.range as { offset: number; length: number };
      if (gets > 1) throw new Error("R2 has gone.");
      return env.SEGMENTS.get(key, { range: { offset: range.offset, length: 3_000_000 } });
    });
    const { edge } = await rolled(await newStream({ segments: dying }));
    const response = await edge.fetch("?offset=-1");
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toBeInstanceOf(Error);
    expect(gets).toBeGreaterThan(2);
  });
});

describe("the object in R2", () => {
  it("that an earlier attempt has written is recognised", async () => {
    const { edge, text } = await fill(await newStream());
    await failSql(edge, /^INSERT INTO segments/, new Error("injected"));
    await runDurableObjectAlarm(edge.stub());
    expect(await objectsOf(edge)).toHaveLength(1);
    expect(await logTables(edge)).toHaveLength(2);
    expectSame(await (await edge.fetch("?offset=-1")).text(), text);
    await evict(edge);
    await runDurableObjectAlarm(edge.stub());
    expect(await logTables(edge)).toHaveLength(1);
    expect(await objectsOf(edge)).toHaveLength(1);
    expectSame(await (await edge.fetch("?offset=-1")).text(), text);
  });

  it("[TI5] that is something else is left alone, and the log keeps the bytes", async () => {
    const { edge, text, offsets } = await fill(await newStream());
    const name = await inObject(edge, (_, { id }) => id.name ?? "");
    const incarnation = Number(offsets[0]?.split("_")[0]);
    const last = String(text.length).padStart(16, "0");
    const key = `${segmentPrefix(name, incarnation)}${"0".repeat(16)}-${last}`;
    await env.SEGMENTS.put(key, "something else");
    await runDurableObjectAlarm(edge.stub());
    expect(await logTables(edge)).toHaveLength(2);
    expect(await (await env.SEGMENTS.get(key))?.text()).toBe("something else");
    expectSame(await (await edge.fetch("?offset=-1")).text(), text);
  });

  it("[TI6] goes with the stream, and a new stream at the URL has its own", async () => {
    const { edge } = await rolled();
    const [old] = await objectsOf(edge);
    await edge.fetch("", { method: "DELETE" });
    await edge.fetch("", { method: "PUT", headers: { "Content-Type": "text/plain" } });
    const { text } = await fill(edge);
    await fireAlarmsUntilQuiet(edge);
    const objects = await objectsOf(edge);
    expect(objects).toHaveLength(1);
    expect(objects).not.toContain(old);
    expectSame(await (await edge.fetch("?offset=-1")).text(), text);
    await edge.fetch("", { method: "DELETE" });
    await fireAlarmsUntilQuiet(edge);
    expect(await objectsOf(edge)).toEqual([]);
    expect(await isBlank(edge)).toBe(true);
  });

  it("has all of a closed stream of some size", async () => {
    const { edge, text } = await fill(await newStream(), 1);
    await close(edge);
    await runDurableObjectAlarm(edge.stub());
    expect(await objectsOf(edge)).toHaveLength(1);
    await evict(edge);
    const response = await edge.fetch("?offset=-1");
    expect(response.headers.get("Stream-Closed")).toBe("true");
    expectSame(await response.text(), text);
    expect((await append(edge, "late")).status).toBe(409);
    const reader = new EventReader(await edge.fetch("?live=sse&offset=-1"));
    expectSame(await reader.untilClosed(), text);
  });
});

describe("retention", () => {
  it("[RT1] is shown by HEAD, and readers learn where a stream begins", async () => {
    const edge = await newStream({ headers: { "Stream-Retention-Bytes": "1", "Stream-Retention-Seconds": "3600" } });
    const gone = await fill(edge);
    await runDurableObjectAlarm(edge.stub());
    const kept = await fill(edge);
    await runDurableObjectAlarm(edge.stub());
    const earliest = gone.offsets.at(-1);
    const head = await edge.fetch("", { method: "HEAD" });
    expect(head.headers.get("Stream-Retention-Bytes")).toBe("1");
    expect(head.headers.get("Stream-Retention-Seconds")).toBe("3600");
    expect(head.headers.get("Stream-Earliest-Offset")).toBe(earliest);
    expect(head.headers.get("Access-Control-Expose-Headers")).toContain("Stream-Earliest-Offset");
    const all = await edge.fetch("?offset=-1");
    expect(all.headers.get("Stream-Earliest-Offset")).toBe(earliest);
    expectSame(await all.text(), kept.text);
    for (const live of ["", "&live=long-poll", "&live=sse"]) {
      const response = await edge.fetch(`?offset=${gone.offsets[0]}${live}`);
      expect(response.status).toBe(410);
      expect(response.headers.get("Stream-Earliest-Offset")).toBe(earliest);
      expect(await response.json()).toMatchObject({ code: "offset-trimmed", earliestOffset: earliest });
    }
    const first = await edge.fetch(`?offset=${earliest}`);
    expect(first.headers.get("Cache-Control")).not.toContain("immutable");
    expectSame(await first.text(), kept.text);
    expect(await objectsOf(edge)).toHaveLength(1);
  });

  it.each(["Stream-Retention-Bytes", "Stream-Retention-Seconds"])("a malformed %s is refused", async (name) => {
    const edge = newEdge();
    const response = await edge.fetch("", { method: "PUT", headers: { [name]: "0" } });
    expect(response.status).toBe(400);
    expect(await problemCode(response)).toBe("retention-invalid");
  });
});
