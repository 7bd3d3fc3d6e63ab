import { runDurableObjectAlarm } from "cloudflare:test";
import { describe, expect, it } from "vitest";

import { append, close, newStream, problemCode, type Edge } from "./edge.ts";
import { EventReader } from "./events.ts";
import { Family } from "./family.ts";

const JSON_TYPE = { "Content-Type": "application/json" } as const;

async function jsonStream(...appends: readonly string[]): Promise<Edge> {
  const edge = await newStream({ contentType: "application/json" });
  for (const body of appends) await append(edge, body, JSON_TYPE);
  return edge;
}

async function textOf(edge: Edge, query: string): Promise<string> {
  const response = await edge.fetch(query);
  expect(response.status).toBe(200);
  return response.text();
}

function next(response: Response): string {
  return response.headers.get("Stream-Next-Offset") ?? "";
}

describe("the last messages of JSON", () => {
  it.each([
    [1, "[6]"],
    [2, '["5,]",6]'],
    [4, '[{"three":[3,3]},4.0,"5,]",6]'],
    [6, '[1,2,{"three":[3,3]},4.0,"5,]",6]'],
    [1_000, '[1,2,{"three":[3,3]},4.0,"5,]",6]'],
  ])("[LM1] are counted across appends: the last %d", async (count, text) => {
    const edge = await jsonStream("1", '[2,{"three":[3,3]}, 4.0]', '["5,]",6]');
    const response = await edge.fetch(`?last=${count}`);
    expect((await response.text()).replaceAll(" ", "")).toBe(text);
    expect(response.headers.get("Stream-Up-To-Date")).toBe("true");
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    expect(response.headers.get("ETag")).toBeNull();
    expect(next(response)).toBe(next(await edge.fetch("", { method: "HEAD" })));
  });

  it("[LM1] lead to what comes after them", async () => {
    const edge = await jsonStream("1", "2");
    const response = await edge.fetch("?last=1");
    await append(edge, "3", JSON_TYPE);
    expect(await textOf(edge, `?offset=${next(response)}`)).toBe("[3]");
  });

  it("are none of an empty stream", async () => {
    expect(await textOf(await jsonStream(), "?last=5")).toBe("[]");
  });

  it("are known to be the last when the stream is closed", async () => {
    const edge = await jsonStream("1", "2");
    await close(edge);
    const response = await edge.fetch("?last=1");
    expect([await response.text(), response.headers.get("Stream-Closed")]).toEqual(["[2]", "true"]);
  });

  it("are found far back, larger than a window, and in one append of many", async () => {
    const large = `"${"x".repeat(100_000)}"`;
    const edge = await jsonStream(large, `[${Array.from({ length: 5_000 }, (_, index) => index).join()}]`, large);
    expect(await textOf(edge, "?last=3")).toBe(`[4998,4999,${large}]`);
    const all = JSON.parse(await textOf(edge, "?last=1000")) as unknown[];
    expect([all.length, all[0]]).toEqual([1_000, 4_001]);
  });
});

it("[LM1] streams of other types have appends instead of messages", async () => {
  const edge = await newStream();
  for (const body of ["one", "two", "three"]) await append(edge, body);
  expect(await textOf(edge, "?last=2")).toBe("twothree");
  expect(await textOf(edge, "?last=9")).toBe("onetwothree");
});

describe("[LM1] where the bytes are stored", () => {
  it("makes no difference: in R2, and half there", async () => {
    const edge = await newStream({ contentType: "application/json" });
    const message = (index: number): string => `"${String(index).repeat(1_000_000)}"`;
    for (let index = 0; index < 9; index += 1) await append(edge, message(index), JSON_TYPE);
    await runDurableObjectAlarm(edge.stub());
    expect(await textOf(edge, "?last=2")).toBe(`[${message(7)},${message(8)}]`);
    await append(edge, "9", JSON_TYPE);
    expect(await textOf(edge, "?last=2")).toBe(`[${message(8)},9]`);
  });

  it("makes no difference: in the stream that a fork comes from", async () => {
    const family = new Family();
    const source = await family.create("source", JSON_TYPE, "[1,2,3]");
    const fork = await family.fork("fork", source);
    await append(source, "0", JSON_TYPE);
    expect(await textOf(fork, "?last=2")).toBe("[2,3]");
    await append(fork, "4", JSON_TYPE);
    expect(await textOf(fork, "?last=2")).toBe("[3,4]");
  });
});

describe("live", () => {
  it("[LM2] the last messages come first, then what comes (SSE)", async () => {
    const edge = await jsonStream("1", "[2,3]");
    const reader = new EventReader(await edge.fetch("?last=2&live=sse"));
    expect(await reader.take(1)).toEqual(["data:[2,3]"]);
    await reader.take(1);
    await append(edge, "4", JSON_TYPE);
    expect((await reader.take(1))[0]).toBe("data:[4]");
    await reader.cancel();
  });

  it("an empty stream says at once where it stands (SSE)", async () => {
    const edge = await jsonStream();
    const reader = new EventReader(await edge.fetch("?last=2&live=sse"));
    expect(await reader.take(1)).toEqual(["control@0 up-to-date"]);
    await append(edge, "1", JSON_TYPE);
    expect((await reader.take(1))[0]).toBe("data:[1]");
    await reader.cancel();
  });

  it("[LM2] [EV2] a reader that comes back says where it was, and gets nothing again (SSE)", async () => {
    const edge = await jsonStream("1", "2");
    const id = next(await edge.fetch("", { method: "HEAD" }));
    await append(edge, "3", JSON_TYPE);
    const reader = new EventReader(await edge.fetch("?last=2&live=sse", { headers: { "Last-Event-ID": id } }));
    expect((await reader.take(1))[0]).toBe("data:[3]");
    await reader.cancel();
  });

  it("[LM2] a long-poll returns them, and one at a stream without any waits", async () => {
    const edge = await jsonStream("1", "2");
    const response = await edge.fetch("?last=1&live=long-poll");
    expect([await response.text(), response.headers.get("Stream-Cursor")]).toEqual(["[2]", expect.any(String)]);
    const waiting = (await jsonStream()).fetch("?last=1&live=long-poll");
    expect((await waiting).status).toBe(204);
  });
});

describe("what is asked for", () => {
  it("counts from the beginning only: official clients repeat it with each offset", async () => {
    const edge = await jsonStream("1", "2", "3");
    const first = next(await edge.fetch("?last=1"));
    expect(await textOf(edge, "?offset=-1&last=2")).toBe("[2,3]");
    await append(edge, "4", JSON_TYPE);
    expect(await textOf(edge, `?offset=${first}&last=1`)).toBe("[4]");
    expect(await textOf(edge, "?offset=now&last=1")).toBe("[]");
  });

  it.each(["last=0", "last=-1", "last=1001", "last=1.5", "last=", "last=ten", "last=1&last=2", "limit=10", "count=10"])(
    "[LM3] is refused with the fix: %s",
    async (query) => {
      const edge = await jsonStream("1");
      const response = await edge.fetch(`?offset=-1&${query}`);
      expect([response.status, await problemCode(response)]).toEqual([400, "parameter-invalid"]);
    },
  );

  it("[LM3] is refused when it has too many bytes", async () => {
    const edge = await newStream();
    for (let index = 0; index < 5; index += 1) await append(edge, "x".repeat(1_000_000));
    expect((await edge.fetch("?last=4")).status).toBe(200);
    const response = await edge.fetch("?last=5");
    expect([response.status, await problemCode(response)]).toEqual([400, "parameter-invalid"]);
  });

  it("is of no use to other parameters, which are left alone", async () => {
    expect(await textOf(await jsonStream("1"), "?offset=-1&utm_source=x")).toBe("[1]");
  });
});
