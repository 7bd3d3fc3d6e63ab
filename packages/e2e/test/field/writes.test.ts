/** What users of servers like this one have reported about writing: each test is such a situation. */
import { connect } from "node:net";
import { gzipSync } from "node:zlib";

import { describe, expect, it } from "vitest";

import { EventStream } from "../../src/event-stream.ts";
import { exchange, statusIn } from "../../src/raw-socket.ts";
import { append, CLOSE, codeOf, get, header, JSON_TYPE, nextOffset, producer, send, TEXT } from "../../src/requests.ts";
import { useServer } from "../../src/test-server.ts";

const server = useServer();

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const statuses = (answers: readonly { readonly status: number }[]): number[] => [
  ...new Set(answers.map(({ status }) => status)),
];

describe("the same bytes twice", () => {
  it("[IN1] are two appends, however many come at once", async () => {
    const url = await server.newStream();
    const answers = await Promise.all(numbers(20).map(() => append(url, " the")));
    expect(statuses(answers)).toEqual([204]);
    expect(new Set(answers.map(nextOffset)).size).toBe(20);
    expect((await get(url)).text).toBe(" the".repeat(20));
  });

  it("are two appends when they are large, too", async () => {
    const url = await server.newStream();
    const large = "z".repeat(300_000);
    await append(url, large);
    await append(url, large);
    expect((await get(url)).text.length).toBe(2 * large.length);
  });
});

describe("a producer", () => {
  it("[PR6] that retries an old batch learns that it is a duplicate, and gets its latest sequence", async () => {
    const url = await server.newStream();
    for (const seq of numbers(5)) expect((await append(url, `${seq}`, producer(seq))).status).toBe(200);
    for (const seq of [0, 2, 4]) {
      const retried = await append(url, `${seq}`, producer(seq));
      expect([retried.status, header(retried, "Producer-Seq")]).toEqual([204, "4"]);
    }
    expect((await append(url, "5", producer(5))).status).toBe(200);
    expect((await get(url)).text).toBe("012345");
  });

  it("[DE4] starts anew on a stream that was made anew, and the old stream's offsets are gone for all readers", async () => {
    const url = await server.newStream();
    const old = nextOffset(await append(url, "old", producer(0, 3)));
    await send("DELETE", url);
    expect((await append(url, "between", producer(1, 3))).status).toBe(404);
    await send("PUT", url, { headers: TEXT });
    expect((await append(url, "new", producer(0, 3))).status).toBe(200);
    expect((await get(url)).text).toBe("new");
    for (const live of ["", "&live=long-poll", "&live=sse"]) {
      expect((await get(`${url}?offset=${old}${live}`)).status).toBe(410);
    }
  });
});

describe("requests that come at once", () => {
  it("[CR10] make one stream with one first body; each append is stored, or learns that there is no stream yet", async () => {
    const url = server.newUrl();
    const create = () => send("PUT", url, { headers: JSON_TYPE, body: '"first"' });
    const add = () => append(url, '"next"', JSON_TYPE);
    const answers = await Promise.all(
      numbers(30).map(async (n) => ({ n, answer: await (n % 3 === 2 ? add() : create()) })),
    );
    const created = answers.filter(({ n }) => n % 3 !== 2).map(({ answer }) => answer.status);
    expect(created.toSorted((a, b) => b - a)).toEqual([201, ...Array<number>(created.length - 1).fill(200)]);
    const added = answers.filter(({ n }) => n % 3 === 2).map(({ answer }) => answer.status);
    expect(added.filter((status) => status !== 204 && status !== 404)).toEqual([]);
    const acknowledged = added.filter((status) => status === 204).length;
    expect(JSON.parse((await get(url)).text)).toEqual(["first", ...Array<string>(acknowledged).fill("next")]);
  });

  it("[CL4] [IN10] with a close among them: what was acknowledged is there, the close is last, and a live reader sees the same", async () => {
    const url = await server.newStream("", JSON_TYPE);
    const live = await EventStream.open(`${url}?offset=-1&live=sse`);
    const answers = await Promise.all(
      numbers(60).map((n) =>
        append(url, n === 30 ? '"last"' : `${n}`, n === 30 ? { ...JSON_TYPE, ...CLOSE } : JSON_TYPE),
      ),
    );
    const refused = answers.filter(({ status }) => status !== 204);
    expect(refused.map((answer) => [answer.status, header(answer, "Stream-Closed")])).toEqual(
      refused.map(() => [409, "true"]),
    );
    const stored = JSON.parse((await get(url)).text) as unknown[];
    expect(stored.length).toBe(60 - refused.length);
    expect(stored.at(-1)).toBe("last");
    const events = await live.rest();
    const data = events.filter(({ type }) => type === "data").flatMap((event) => JSON.parse(event.data) as unknown[]);
    expect(data).toEqual(stored);
    const ends = events.filter(({ type, data: text }) => type === "control" && text.includes('"streamClosed":true'));
    expect(ends).toHaveLength(1);
  });
});

describe("[AP12] a body that breaks off stores nothing", () => {
  const requestOf = (url: string, framing: string): string =>
    `POST ${new URL(url).pathname} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n${framing}\r\n\r\n`;

  it.each([
    ["shorter than its Content-Length", "Content-Length: 1000", "half"],
    ["in chunks, without the last one", "Transfer-Encoding: chunked", "5\r\nhalf.\r\n"],
    ["inside a chunk", "Transfer-Encoding: chunked", "5\r\nhalf.\r\n3\r\nha"],
  ])("%s", async (_how, framing, body) => {
    const url = await server.newStream();
    for (const leave of ["fin", "reset"] as const) {
      const answered = await exchange({ server: url, bytes: [requestOf(url, framing), body], leave });
      expect(answered).not.toMatch(/^HTTP\/1\.1 2/);
    }
    await append(url, "whole");
    expect((await get(url)).text).toBe("whole");
  });

  it.each([
    ["a gzip stream that is cut", (whole: Buffer) => whole.subarray(0, -9)],
    [
      "a gzip stream with another checksum",
      (whole: Buffer) => Buffer.concat([whole.subarray(0, -8), Buffer.alloc(8, 7)]),
    ],
  ])("%s is 400", async (_what, damage) => {
    const url = await server.newStream();
    const body = new Uint8Array(damage(gzipSync("E".repeat(5_000))));
    const refused = await append(url, body, { "Content-Encoding": "gzip" });
    expect([refused.status, codeOf(refused)]).toEqual([400, "content-encoding-broken"]);
    expect((await get(url)).text).toBe("");
  });
});

it("[AP13] a slow sender's body is stored in the end, behind those who did not wait for it", async () => {
  const url = await server.newStream();
  const headers = `POST ${new URL(url).pathname} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n`;
  const socket = connect(Number(new URL(url).port), new URL(url).hostname);
  socket.setEncoding("latin1");
  const answered = new Promise<string>((resolve, reject) => {
    socket.on("data", resolve);
    socket.on("error", reject);
  });
  socket.write(`${headers}Content-Length: 4\r\n\r\nsl`);
  for (const n of numbers(20)) {
    expect((await append(url, `${n} `)).status).toBe(204);
  }
  socket.write("ow");
  expect(statusIn(await answered)).toBe(204);
  socket.destroy();
  expect((await get(url)).text).toBe(`${numbers(20).join(" ")} slow`);
});

describe("JSON", () => {
  it.each([
    [
      "null, false, 0 and the empty string are messages",
      ["null", "false", "0", '""', "[null,[null],{},null]"],
      '[null,false,0,"",null,[null],{},null]',
    ],
    [
      "the text of a message is kept",
      ['{"k":1,"k":2}', '[{"n":12345678901234567890,"f":1.0,"z":-0,"e":1e400}]', '"\\u0061\\ud83d"'],
      '[{"k":1,"k":2},{"n":12345678901234567890,"f":1.0,"z":-0,"e":1e400},"\\u0061\\ud83d"]',
    ],
  ])("[JS8] %s, in every mode", async (_what, bodies, all) => {
    const url = await server.newStream("", JSON_TYPE);
    const live = await EventStream.open(`${url}?offset=-1&live=sse`);
    await live.control();
    let seen = "";
    for (const body of bodies) {
      expect((await append(url, body, JSON_TYPE)).status).toBe(204);
      const data = await live.data();
      seen += `${data.slice(1, -1)},`;
      await live.control();
    }
    live.close();
    expect((await get(url)).text).toBe(all);
    expect((await get(`${url}?offset=-1&live=long-poll`)).text).toBe(all);
    expect(`[${seen.slice(0, -1)}]`).toBe(all);
  });

  const NOT_JSON: readonly [string, Uint8Array<ArrayBuffer>][] = (
    [
      ["lines of JSON", '{"a":1}\n{"a":2}\n'],
      ["UTF-16", Buffer.from('{"a":1}', "utf16le")],
      ["Latin-1", Buffer.from('{"a":"caf\xe9"}', "latin1")],
      ["an overlong byte sequence", Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
      ["a surrogate as bytes", Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
      ["NaN", '{"a":NaN}'],
      ["a trailing comma", "[1,2,]"],
      ["a comment", "{/*x*/}"],
      ["single quotes", "{'a':1}"],
      ["a leading zero", "[01]"],
      ["a line break in a string", '"a\nb"'],
      ["white space alone", "  \n "],
      ["nothing", ""],
      ["two values", "1 2"],
      ["undefined", "undefined"],
      ["a form", "a=1&b=2"],
      ["1,001 levels", "[".repeat(1_001) + "]".repeat(1_001)],
      ["200,000 levels", "[".repeat(200_000) + "]".repeat(200_000)],
    ] as const
  ).map(([what, body]) => [what, new Uint8Array(Buffer.from(body as string))]);

  it.each(NOT_JSON)("[JS5] that is invalid is 400 and stores nothing: %s", async (_what, body) => {
    const url = await server.newStream("", JSON_TYPE);
    expect((await append(url, body, JSON_TYPE)).status).toBe(400);
    expect((await get(url)).text).toBe("[]");
  });

  const nested = "[".repeat(999) + "]".repeat(999);

  it.each([
    ["999 levels, the outermost of which is the batch", nested, nested],
    ["a key of a megabyte", `{"${"k".repeat(1 << 20)}":1}`, `[{"${"k".repeat(1 << 20)}":1}]`],
    ["a number of 100,000 digits", "1".repeat(100_000), `[${"1".repeat(100_000)}]`],
    ["100,000 messages", `[${"1,".repeat(99_999)}1]`, `[${"1,".repeat(99_999)}1]`],
  ])("of a strange size is stored as it is: %s", async (_what, body, stored) => {
    const url = await server.newStream("", JSON_TYPE);
    expect((await append(url, body, JSON_TYPE)).status).toBe(204);
    expect((await get(url)).text === stored).toBe(true);
  });
});

describe("a lifetime is accepted exactly, or refused", () => {
  const year = new Date().getUTCFullYear() + 1;

  it.each(["0060", "60.0", "+60", "1e3", "-1", "60s", "60, 60"])("[LT1] Stream-TTL: %s is 400", async (ttl) => {
    const refused = await send("PUT", server.newUrl(), { headers: { ...TEXT, "Stream-TTL": ttl } });
    expect(refused.status).toBe(400);
  });

  it.each([
    `${year}-01-01`,
    `${year}-02-30T00:00:00Z`,
    `${year}-13-01T00:00:00Z`,
    `${year}-01-01T00:00:00`,
    "Thu, 01 Jan 2037 00:00:00 GMT",
    "1999999999",
    "+012345-01-01T00:00:00Z",
  ])("[LT2] Stream-Expires-At: %s is 400", async (instant) => {
    const refused = await send("PUT", server.newUrl(), { headers: { ...TEXT, "Stream-Expires-At": instant } });
    expect(refused.status).toBe(400);
  });

  it.each([`${year}-01-01T00:00:00Z`, `${year}-01-01T00:00:00.123456789Z`, `${year}-01-01T01:00:00+01:00`])(
    "[LT2] Stream-Expires-At: %s is accepted, and returned",
    async (instant) => {
      const url = server.newUrl();
      const created = await send("PUT", url, { headers: { ...TEXT, "Stream-Expires-At": instant } });
      expect(created.status).toBe(201);
      const told = header(await send("HEAD", url), "Stream-Expires-At");
      expect(Date.parse(told)).toBe(Date.parse(instant));
    },
  );
});

describe("a content type", () => {
  it("[AP2] [CR9] in another case and with parameters is the same, JSON included", async () => {
    const url = await server.newStream("", { "Content-Type": "Application/JSON; Charset=UTF-8" });
    for (const [n, type] of ["application/json", 'application/json;charset="utf-8"'].entries()) {
      expect((await append(url, `${n}`, { "Content-Type": type })).status).toBe(204);
    }
    expect((await get(url)).text).toBe("[0,1]");
  });

  it("[AP2] that is wrong is refused with the right one", async () => {
    const url = await server.newStream("", JSON_TYPE);
    const refused = await append(url, '{"a":1}', { "Content-Type": "application/x-www-form-urlencoded" });
    expect([refused.status, codeOf(refused)]).toEqual([409, "content-type-mismatch"]);
    expect(refused.text).toContain("Content-Type: application/json");
  });

  it.each(["json", "application/", "application/json,text/plain"])("[JS1] that is none is 400: %s", async (type) => {
    expect((await send("PUT", server.newUrl(), { headers: { "Content-Type": type } })).status).toBe(400);
  });
});
