/** What users of servers like this one have reported about reading: each test is such a situation. */
import { describe, expect, it } from "vitest";

import { EventStream } from "../../src/event-stream.ts";
import { append, get, header, JSON_TYPE, nextOffset, send, tailOf, TEXT } from "../../src/requests.ts";
import { useServer } from "../../src/test-server.ts";

const server = useServer({ LONG_POLL_TIMEOUT_MS: 500 });
const MODES = ["", "&live=long-poll", "&live=sse"];

describe("a reader who comes back", () => {
  it("[OF15] near the end of a long log gets what is behind its offset, and no more", async () => {
    const url = await server.newStream("", JSON_TYPE);
    const messages = (from: number, count: number) => JSON.stringify(Array.from({ length: count }, (_, n) => from + n));
    for (let n = 0; n < 13_000; n += 1_000) await append(url, messages(n, 1_000), JSON_TYPE);
    const offsets: string[] = [];
    for (let n = 13_000; n < 13_020; n += 1) offsets.push(nextOffset(await append(url, `${n}`, JSON_TYPE)));
    expect((await get(`${url}?offset=${offsets[9]}`)).text).toBe(messages(13_010, 10));
    expect((await get(`${url}?offset=${offsets[18]}&live=long-poll`)).text).toBe("[13019]");
    expect((await get(`${url}?offset=-1`)).text).toBe(messages(0, 13_020));
  });

  it("before any event has reached it misses nothing", async () => {
    const url = await server.newStream("", JSON_TYPE);
    await append(url, "0", JSON_TYPE);
    const first = await EventStream.open(`${url}?offset=now&live=sse`);
    const { streamNextOffset } = await first.control();
    first.close();
    await append(url, "1", JSON_TYPE);
    const again = await EventStream.open(`${url}?offset=${streamNextOffset}&live=sse`);
    expect(await again.data()).toBe("[1]");
    again.close();
    const silent = await get(`${url}?offset=now&live=long-poll`);
    expect(silent.status).toBe(204);
    await append(url, "2", JSON_TYPE);
    expect((await get(`${url}?offset=${nextOffset(silent)}&live=long-poll`)).text).toBe("[2]");
  });
});

describe("an offset that the server never returned", () => {
  it.each(["-2", "-0", "1", "abc", "0", "", "null", "NaN", "1e3", "%00", "-1%0a", "NOW", "%2D1x", "9".repeat(5_000)])(
    "[OF10] is a plain 4xx in every mode: %s",
    async (offset) => {
      const url = await server.newStream("x");
      for (const mode of MODES) {
        const refused = await get(`${url}?offset=${offset}${mode}`);
        expect([400, 414]).toContain(refused.status);
        expect(header(refused, "Content-Type")).not.toContain("event-stream");
      }
    },
  );

  it("[OF12] [OF11] of another stream, or of one to come, is 410 or 400, never a silent replay", async () => {
    const url = await server.newStream("x");
    const [incarnation = "", position = ""] = (await tailOf(url)).split("_");
    const earlier = String(BigInt(incarnation) - 5n).padStart(16, "0");
    for (const offset of [
      `${earlier}_${position}`,
      `9999999999999999_${position}`,
      `${incarnation}_${"9".repeat(16)}`,
    ]) {
      for (const mode of MODES) expect([400, 410]).toContain((await get(`${url}?offset=${offset}${mode}`)).status);
    }
  });

  it.each(["offset=-1&offset=now", "offset=-1&live=", "offset=-1&live=LONG-POLL", "offset=-1&live=true", "live=sse"])(
    "[RE7] and a query that means nothing is 400: %s",
    async (query) => {
      expect((await get(`${await server.newStream("x")}?${query}`)).status).toBe(400);
    },
  );
});

describe("no cache keeps", () => {
  it("[CA3] an error, or an answer that is true for a moment only", async () => {
    const url = await server.newStream("1", JSON_TYPE);
    const tail = await tailOf(url);
    const missing = server.newUrl();
    const answers = [
      ...(await Promise.all(MODES.map((mode) => get(`${missing}?offset=-1${mode}`)))),
      await send("HEAD", missing),
      await get(`${url}?offset=zz`),
      await send("PATCH", url),
      await append(url, "x"),
      await append(url, "1", { ...JSON_TYPE, "Content-Encoding": "br" }),
      await get(`${url}?offset=${tail}&live=long-poll`),
      await get(`${url}?offset=now`),
      await send("HEAD", url),
      await get(`${server.url}/v1/nothing`),
    ];
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404, 400, 405, 409, 415, 204, 200, 200, 404]);
    for (const answer of answers) expect(header(answer, "Cache-Control")).toContain("no-store");
  });

  it("[CA7] [DE4] what was true of a stream before it was made anew: its offset is 410, and its entity tag is worth nothing", async () => {
    const url = await server.newStream("1", JSON_TYPE);
    const before = await get(`${url}?offset=-1`);
    await send("DELETE", url);
    await send("PUT", url, { headers: JSON_TYPE, body: "1" });
    const gone = await get(`${url}?offset=${nextOffset(before)}`);
    expect([gone.status, header(gone, "Cache-Control")]).toEqual([410, "no-store"]);
    const anew = await get(`${url}?offset=-1`, { "If-None-Match": header(before, "ETag") });
    expect([anew.status, anew.text]).toEqual([200, before.text]);
  });
});

it("[HE3] HEAD of a live URL answers at once and holds nothing open", async () => {
  const url = await server.newStream("x");
  for (const query of ["", "?offset=-1", "?offset=-1&live=sse", "?offset=now&live=long-poll"]) {
    expect((await send("HEAD", url + query)).status).toBe(200);
  }
  expect((await send("OPTIONS", `${url}?offset=-1&live=sse`)).status).toBe(204);
});

describe("an event stream", () => {
  it("[SS8] of a stream without messages begins with one control event and no data", async () => {
    const live = await EventStream.open(`${await server.newStream("", JSON_TYPE)}?offset=-1&live=sse`);
    expect(await live.control()).toMatchObject({ upToDate: true });
    live.close();
  });

  it("[SS10] [SS3] [JS3] carries one JSON array in each data event, and each has its control event", async () => {
    const url = await server.newStream("", JSON_TYPE);
    for (let n = 0; n < 7; n += 1) await append(url, JSON.stringify({ n, s: "x".repeat(n * 3_000) }), JSON_TYPE);
    await append(url, "[[1,2],[3]]", { ...JSON_TYPE, "Stream-Closed": "true" });
    const events = await (await EventStream.open(`${url}?offset=-1&live=sse`)).rest();
    expect(events.map(({ type }) => type)).toEqual(events.map((_, n) => (n % 2 === 0 ? "data" : "control")));
    const messages = events.filter(({ type }) => type === "data").flatMap(({ data }) => JSON.parse(data) as unknown[]);
    expect(messages).toHaveLength(9);
    expect(messages.slice(7)).toEqual([[1, 2], [3]]);
  });

  it("[SS9] carries text that looks like an event stream, blank lines, a byte order mark and NUL exactly, live as well", async () => {
    const parts = [
      "\uFEFFdata: first\n",
      " leading\n",
      ":comment\n\n\n",
      "event: control\ndata: {}\n\n",
      "a\u2028b\u2029c\u0085d\u000be\u000cf\n",
      "nul\0nul\n",
      "no line break at the end",
      "\n",
      "\n\n",
      "id: 7\nretry: 1\n",
      "trailing space \n",
    ];
    const url = await server.newStream();
    const live = await EventStream.open(`${url}?offset=-1&live=sse`);
    await live.control();
    for (const part of parts) {
      await append(url, part);
      expect(await live.data()).toBe(part);
      await live.control();
    }
    live.close();
    await append(url, "", { "Stream-Closed": "true" });
    const events = await (await EventStream.open(`${url}?offset=-1&live=sse`)).rest();
    const data = events.filter(({ type }) => type === "data").map((event) => event.data);
    expect(data.join("")).toBe(parts.join(""));
  });

  it("[SS1] is left alone by whatever lies between: not compressed, not buffered, not transformed", async () => {
    const url = await server.newStream("x");
    const { response, close } = await EventStream.open(`${url}?offset=-1&live=sse`, {
      "Accept-Encoding": "gzip, br, zstd",
    }).then((live) => ({ response: live.response, close: () => live.close() }));
    expect(response.headers.get("Content-Encoding")).toBeNull();
    expect(response.headers.get("X-Accel-Buffering")).toBe("no");
    expect(response.headers.get("Cache-Control")).toContain("no-transform");
    close();
  });
});

describe("a stored event stream", () => {
  it("[SS9] of a provider reads back as its bytes, and cannot forge an event of ours", async () => {
    const type = { "Content-Type": "text/event-stream" };
    const parts = [
      'data: {"type":"start"}\n\n',
      'event: control\ndata: {"streamNextOffset":"forged","upToDate":true}\n\n',
      "data: [DONE]\n\n",
    ];
    const url = await server.newStream("", type);
    for (const part of parts) expect((await append(url, part, type)).status).toBe(204);
    expect((await get(`${url}?offset=-1`)).text).toBe(parts.join(""));
    expect((await get(`${url}?offset=-1&live=long-poll`)).text).toBe(parts.join(""));
    await append(url, "", { ...type, "Stream-Closed": "true" });
    const events = await (await EventStream.open(`${url}?offset=-1&live=sse`)).rest();
    const data = events.filter((event) => event.type === "data").map((event) => event.data);
    expect(data.join("")).toBe(parts.join(""));
    expect(events.some((event) => event.type === "control" && event.data.includes("forged"))).toBe(false);
  });
});

it("[DE3] [DE4] deleting a stream ends those who wait, and they see nothing of the one that is made at once in its place", async () => {
  const url = await server.newStream("1", JSON_TYPE);
  const tail = await tailOf(url);
  const live = await EventStream.open(`${url}?offset=${tail}&live=sse`);
  await live.control();
  const polled = get(`${url}?offset=${tail}&live=long-poll`);
  await send("DELETE", url);
  await send("PUT", url, { headers: JSON_TYPE, body: '"new"' });
  expect([204, 404, 410]).toContain((await polled).status);
  expect((await live.rest()).filter(({ type }) => type === "data")).toEqual([]);
  expect((await get(`${url}?offset=${tail}`)).status).toBe(410);
});

describe("a conditional read", () => {
  it("[CA5] is 304 for the tag alone, weakened by a proxy, in a list, and for a star; never for other bytes", async () => {
    const url = await server.newStream("[1,2]", JSON_TYPE);
    const tag = header(await get(`${url}?offset=-1`), "ETag");
    for (const condition of [tag, `W/${tag}`, `"zz", ${tag}`, `"zz",W/${tag}`, "*"]) {
      const unchanged = await get(`${url}?offset=-1`, { "If-None-Match": condition });
      expect([unchanged.status, unchanged.headers.has("Stream-Next-Offset")]).toEqual([304, true]);
    }
    await append(url, "3", JSON_TYPE);
    const changed = await get(`${url}?offset=-1`, { "If-None-Match": tag });
    expect(changed.status).toBe(200);
    await append(url, "", { "Stream-Closed": "true" });
    expect((await get(`${url}?offset=-1`, { "If-None-Match": header(changed, "ETag") })).status).toBe(200);
  });
});

it.each(["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml"])(
  "[SC6] %s in a stream does not run when a browser opens it",
  async (type) => {
    const url = await server.newStream("<script>alert(1)</script>", { "Content-Type": type });
    const page = await get(`${url}?offset=-1`);
    expect(header(page, "Content-Security-Policy")).toMatch(/sandbox|default-src 'none'/);
    expect(header(page, "X-Content-Type-Options")).toBe("nosniff");
  },
);

describe("a name", () => {
  const at = (path: string): string => `${server.url}/v1/stream/names/${path}`;

  it.each([
    ["in either form of Unicode", "caf%C3%A9", "cafe%CC%81", 200],
    ["with a plus, encoded or not", "a+b", "a%2Bb", 200],
    ["with a plus is not one with a space", "a+c", "a%20c", 404],
    ["with an encoded slash", "x%2Fy", "x/y", 200],
    ["with escapes in either case", "%e2%82%ac", "%E2%82%AC", 200],
    ["in another case is another", "UP", "up", 404],
  ])("%s", async (_what, written, read, status) => {
    await send("PUT", at(written), { headers: TEXT });
    expect((await get(`${at(read)}?offset=-1`)).status).toBe(status);
  });

  it.each(["a:b@c~d!$&'()*,;=e", "%F0%9F%98%80", "%D9%85%D8%B1"])(
    "has a Location that leads to it: %s",
    async (path) => {
      const created = await send("PUT", at(path), { headers: TEXT });
      expect((await send("HEAD", header(created, "Location"))).status).toBe(200);
    },
  );
});
