import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { append, close, content, problemCode } from "./edge.ts";
import { Family, put, statusOf, tailOf } from "./family.ts";

const WINDOW_MS = 1_000_000;
const FROM = "Stream-Forked-From";
const OFFSET = "Stream-Fork-Offset";
const SUB_OFFSET = "Stream-Fork-Sub-Offset";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe("[FK7] a fork's creation, sent again, is confirmed", () => {
  const inherited: Record<string, Record<string, string>> = {
    nothing: {},
    "a sliding window": { "Stream-TTL": "1000" },
    "an instant": { "Stream-Expires-At": new Date(Date.now() + WINDOW_MS).toISOString() },
    "a content type": { "Content-Type": "application/x-ndjson; charset=utf-8" },
  };

  it.each(Object.entries(inherited))("when it inherited %s", async (_, headers) => {
    const family = new Family();
    const source = await family.create("source", headers, "abc");
    const fork = await family.fork("fork", source);
    const again = await put(fork, { [FROM]: source.path });
    expect(again.status).toBe(200);
    expect(again.headers.get("Stream-Next-Offset")).toBe(await tailOf(source));
    expect(again.headers.get(FROM)).toBeNull();
  });

  it("[FK1] when its source grew since, and the fork offset was left out", async () => {
    const family = new Family();
    const source = await family.create("source", {}, "abc");
    const fork = await family.fork("fork", source);
    await append(source, "def");
    expect((await put(fork, { [FROM]: source.path })).status).toBe(200);
    expect(await content(fork)).toBe("abc");
  });

  it("when it spells the beginning in the other way", async () => {
    const family = new Family();
    const source = await family.create("source", {}, "abc");
    const zero = (await tailOf(source)).replace(/3$/, "0");
    const place = { [FROM]: source.path, [SUB_OFFSET]: "2" };
    const pairs = [
      ["-1", zero],
      [zero, "-1"],
      [zero, "0000000000000000_0000000000000000"],
    ] as const;
    for (const [index, [first, second]] of pairs.entries()) {
      const fork = await family.fork(`fork${index}`, source, { ...place, [OFFSET]: first });
      expect((await put(fork, { ...place, [OFFSET]: second })).status).toBe(200);
      const foreign = zero.replace(/^\d{16}/, "0000000000000001");
      expect((await put(fork, { ...place, [OFFSET]: foreign })).status).toBe(409);
      expect(await content(fork)).toBe("ab");
    }
  });

  it("and is a conflict when anything differs", async () => {
    const family = new Family();
    const source = await family.create("source", {}, "abc");
    const other = await family.create("other", {}, "abc");
    const fork = await family.fork("fork", source, { [OFFSET]: "-1", [SUB_OFFSET]: "1" });
    const same = { [FROM]: source.path, [OFFSET]: "-1", [SUB_OFFSET]: "1" };
    expect((await put(fork, same)).status).toBe(200);
    for (const headers of [
      { ...same, [FROM]: other.path },
      { ...same, [OFFSET]: await tailOf(source), [SUB_OFFSET]: "0" },
      { ...same, [SUB_OFFSET]: "2" },
      { ...same, "Stream-TTL": "9" },
      { ...same, "Stream-Closed": "true" },
      { ...same, "Content-Type": "text/html" },
      { "Content-Type": "text/plain" },
    ])
      expect({ headers, status: (await put(fork, headers)).status }).toEqual({ headers, status: 409 });
  });
});

describe("the lifetime of a fork", () => {
  const instant = (seconds: number): string => new Date(1_900_000_000_000 + seconds * 1_000).toISOString();
  const lifetimes = {
    none: { headers: {}, ttl: null, at: null },
    ttl: { headers: { "Stream-TTL": "1000" }, ttl: "1000", at: null },
    at: { headers: { "Stream-Expires-At": instant(0) }, ttl: null, at: instant(0) },
  } as const;
  const asked = {
    none: { headers: {}, ttl: null, at: null },
    ttl: { headers: { "Stream-TTL": "77" }, ttl: "77", at: null },
    at: { headers: { "Stream-Expires-At": instant(9) }, ttl: null, at: instant(9) },
  } as const;
  const kinds = ["none", "ttl", "at"] as const;
  const table = kinds.flatMap((source) => kinds.map((fork) => ({ source, fork })));

  it.each(table)("[FK4] of a source with $source that asks for $fork", async ({ source, fork }) => {
    const family = new Family();
    const parent = await family.create("source", lifetimes[source].headers, "abc");
    const child = await family.fork("fork", parent, asked[fork].headers);
    const { headers } = await child.fetch("", { method: "HEAD" });
    const expected = fork === "none" ? lifetimes[source] : asked[fork];
    const found = headers.get("Stream-Expires-At");
    expect(headers.get("Stream-TTL")).toBe(expected.ttl);
    expect(found === null ? null : Date.parse(found)).toBe(expected.at === null ? null : Date.parse(expected.at));
  });

  it("[FK4] of a fork comes from its direct source", async () => {
    const family = new Family();
    const first = await family.create("first", { "Stream-TTL": "1000" });
    const second = await family.fork("second", first, { "Stream-TTL": "500" });
    const third = await family.fork("third", second);
    expect((await third.fetch("", { method: "HEAD" })).headers.get("Stream-TTL")).toBe("500");
  });

  it("[FK13] is renewed by use of the fork, not of its source, and the other way round", async () => {
    const family = new Family();
    const source = await family.create("source", { "Stream-TTL": "1000" }, "abc");
    const fork = await family.fork("fork", source);
    vi.setSystemTime(Date.now() + WINDOW_MS - 1);
    expect(await content(fork)).toBe("abc");
    vi.setSystemTime(Date.now() + 1);
    expect([await statusOf(source, "HEAD"), await statusOf(fork, "HEAD")]).toEqual([410, 200]);
    expect(await content(fork)).toBe("abc");
  });
});

describe("what cannot be forked", () => {
  it.each([
    { about: "a place without a source", headers: { [OFFSET]: "-1" } },
    { about: "a sub-offset without a source", headers: { [SUB_OFFSET]: "1" } },
    { about: "a sub-offset without a place", headers: { [FROM]: "SOURCE", [SUB_OFFSET]: "1" } },
    { about: "a negative sub-offset", headers: { [FROM]: "SOURCE", [OFFSET]: "-1", [SUB_OFFSET]: "-1" } },
    { about: "now", headers: { [FROM]: "SOURCE", [OFFSET]: "now" } },
    { about: "no offset at all", headers: { [FROM]: "SOURCE", [OFFSET]: "3" } },
    { about: "an offset of no stream", headers: { [FROM]: "SOURCE", [OFFSET]: "0000000000000001_0000000000000003" } },
    { about: "a place inside the first append", headers: { [FROM]: "SOURCE", [OFFSET]: "INSIDE" } },
    { about: "a place beyond the tail", headers: { [FROM]: "SOURCE", [OFFSET]: "BEYOND" } },
    { about: "an absolute URL", headers: { [FROM]: "https://streams.exampleSOURCE" } },
    { about: "another root", headers: { [FROM]: "/v2/stream/x/y" } },
    { about: "a stream of another project", headers: { [FROM]: "/v1/stream/other/source" } },
    { about: "a path out of the project", headers: { [FROM]: "SOURCE/../../other/source" } },
    { about: "an encoded path out of the project", headers: { [FROM]: "SOURCE/%2e%2e/x" } },
  ])("[FK6] 400: $about", async ({ headers }) => {
    const family = new Family();
    const source = await family.create("source", {}, "abc");
    const tail = await tailOf(source);
    const real = Object.entries(headers).map(([name, value]) => [
      name,
      value
        .replace("SOURCE", source.path)
        .replace("INSIDE", tail.replace(/3$/, "2"))
        .replace("BEYOND", tail.replace(/3$/, "5")),
    ]);
    const fork = family.stream("fork");
    expect((await put(fork, Object.fromEntries(real) as Record<string, string>)).status).toBe(400);
    expect(await statusOf(fork, "HEAD")).toBe(404);
  });

  it("[FK5] 404: a stream that does not exist, the stream itself, or an expired one", async () => {
    const family = new Family();
    const fork = family.stream("fork");
    expect((await put(fork, { [FROM]: family.stream("nobody").path })).status).toBe(404);
    expect((await put(fork, { [FROM]: fork.path })).status).toBe(404);
    const source = await family.create("source", { "Stream-TTL": "1000" });
    vi.setSystemTime(Date.now() + WINDOW_MS);
    expect((await put(fork, { [FROM]: source.path })).status).toBe(404);
  });

  it("[FK3] 409: another content type", async () => {
    const family = new Family();
    const source = await family.create("source", { "Content-Type": "application/json" });
    const response = await put(family.stream("fork"), { [FROM]: source.path, "Content-Type": "text/plain" });
    expect([response.status, await problemCode(response)]).toEqual([409, "content-type-mismatch"]);
  });

  it("[FK10] 409: a path that is retained for forks", async () => {
    const family = new Family();
    const source = await family.create("source", {}, "abc");
    const other = await family.create("other", {}, "abc");
    await family.fork("fork", source);
    expect(await statusOf(source, "DELETE")).toBe(204);
    const response = await put(source, { [FROM]: other.path });
    expect([response.status, await problemCode(response)]).toEqual([409, "path-retained"]);
  });

  it("but a source's path may be spelled with percent-encoding", async () => {
    const family = new Family();
    const source = await family.create("a%20b/%C3%BC", {}, "abc");
    const spelled = source.path.replace("%C3%BC", "u%CC%88").replace("/a", "/%61");
    const fork = family.stream("fork");
    expect((await put(fork, { [FROM]: spelled })).status).toBe(201);
    expect(await content(fork)).toBe("abc");
    expect((await put(fork, { [FROM]: source.path })).status).toBe(200);
  });
});

describe("[FK2] a sub-offset", () => {
  it("counts bytes, not characters, across appends and up to the tail", async () => {
    const family = new Family();
    const source = await family.create("source", {}, "äb");
    await append(source, "cd");
    const counts = [1, 2, 3, 4, 5];
    const found = await Promise.all(
      counts.map(async (count) => {
        const fork = await family.fork(`fork${count}`, source, { [OFFSET]: "-1", [SUB_OFFSET]: String(count) });
        const bytes = await (await fork.fetch("?offset=-1")).arrayBuffer();
        return bytes.byteLength;
      }),
    );
    expect(found).toEqual(counts);
    const beyond = await put(family.stream("x"), { [FROM]: source.path, [OFFSET]: "-1", [SUB_OFFSET]: "6" });
    expect([beyond.status, await problemCode(beyond)]).toEqual([400, "fork-sub-offset-invalid"]);
  });

  it("counts JSON messages across posts and across fork boundaries, and never splits one", async () => {
    const family = new Family();
    const json = { "Content-Type": "application/json" };
    const source = await family.create("source", json, '[{"a":[1,2]},"x,]"]');
    await append(source, '"\\",\\""', json);
    const second = await family.fork("second", source, { [OFFSET]: "-1", [SUB_OFFSET]: "2" });
    await append(second, "[[3],4]", json);
    const texts = ['{"a":[1,2]}', '"x,]"', "[3]", "4"];
    for (let count = 1; count <= 4; count += 1) {
      const third = await family.fork(`third${count}`, second, { [OFFSET]: "-1", [SUB_OFFSET]: String(count) });
      expect(await content(third)).toBe(`[${texts.slice(0, count).join(",")}]`);
    }
    const beyond = await put(family.stream("x"), { [FROM]: second.path, [OFFSET]: "-1", [SUB_OFFSET]: "5" });
    expect(beyond.status).toBe(400);
    // The source went on after the fork: its offsets there are none of the fork's.
    const foreign = { [FROM]: second.path, [OFFSET]: await tailOf(source) };
    expect((await put(family.stream("y"), foreign)).status).toBe(400);
    const whole = await family.fork("whole", source, { [OFFSET]: "-1", [SUB_OFFSET]: "3" });
    expect(await content(whole)).toBe('[{"a":[1,2]},"x,]","\\",\\""]');
  });
});

describe("a fork begins anew", () => {
  it("[FK9] without producers", async () => {
    const family = new Family();
    const producer = { "Producer-Id": "p", "Producer-Epoch": "3", "Producer-Seq": "0" };
    const source = await family.create("source");
    expect((await append(source, "a", producer)).status).toBe(200);
    const fork = await family.fork("fork", source);
    expect((await append(fork, "b", { ...producer, "Producer-Epoch": "0" })).status).toBe(200);
    expect(await content(fork)).toBe("ab");
    expect((await append(source, "a", producer)).status).toBe(204);
  });

  it("[FK9] without a Stream-Seq", async () => {
    const family = new Family();
    const source = await family.create("source");
    await append(source, "a", { "Stream-Seq": "z" });
    const fork = await family.fork("fork", source);
    expect((await append(fork, "b", { "Stream-Seq": "a" })).status).toBe(204);
  });

  it("[FK8] [FK9] open, and without the tuple that closed its source", async () => {
    const family = new Family();
    const producer = { "Producer-Id": "p", "Producer-Epoch": "0", "Producer-Seq": "0" };
    const source = await family.create("source");
    await append(source, "a", { ...producer, "Stream-Closed": "true" });
    const fork = await family.fork("fork", source);
    expect((await fork.fetch("", { method: "HEAD" })).headers.get("Stream-Closed")).toBeNull();
    const accepted = await append(fork, "b", producer);
    expect([accepted.status, accepted.headers.get("Stream-Closed")]).toEqual([200, null]);
    expect((await close(fork)).status).toBe(204);
    expect((await fork.fetch("?offset=-1")).headers.get("Stream-Closed")).toBe("true");
  });
});
