/** Long-poll, SSE and cursors, on the wire. */
import { describe, expect, it } from "vitest";

import { EventStream, type ControlEvent } from "../../src/event-stream.ts";
import {
  append,
  CLOSE,
  codeOf,
  create,
  get,
  header,
  JSON_TYPE,
  nextOffset,
  send,
  TEXT,
  tailOf,
} from "../../src/requests.ts";
import { useServer } from "../../src/test-server.ts";

const server = useServer({ LONG_POLL_TIMEOUT_MS: 200, SSE_SESSION_SECONDS: 2 });

/** The interval that the clock is in, as the specification counts. */
function currentInterval(): bigint {
  return BigInt(Math.floor((Date.now() - Date.UTC(2024, 9, 9)) / 20_000));
}

describe("the cursor", () => {
  it("[CA9] [LP2] counts intervals of 20 seconds since 9 October 2024, with data and without", async () => {
    const url = await server.newStream("abc");
    for (const offset of ["-1", "now"]) {
      const before = currentInterval();
      const cursor = BigInt(header(await get(`${url}?offset=${offset}&live=long-poll`), "Stream-Cursor"));
      expect(cursor).toBeGreaterThanOrEqual(before);
      expect(cursor).toBeLessThanOrEqual(currentInterval());
    }
  });

  it.each([0n, 5n, 1_000_000n, 10n ** 40n])(
    "[CA10] is greater than a client's cursor that is %d ahead",
    async (ahead) => {
      const url = await server.newStream("abc");
      let cursor = currentInterval() + ahead;
      for (const offset of ["-1", "now", "-1", "now"]) {
        const answer = await get(`${url}?offset=${offset}&live=long-poll&cursor=${cursor}`);
        const next = BigInt(header(answer, "Stream-Cursor"));
        expect(next > cursor || next >= currentInterval()).toBe(true);
        expect(next).toBeGreaterThanOrEqual(cursor);
        cursor = next;
      }
      const events = await EventStream.open(`${url}?offset=now&live=sse&cursor=${cursor}`);
      expect(BigInt((await events.control()).streamCursor ?? "")).toBeGreaterThanOrEqual(cursor);
      events.close();
    },
  );

  it.each(["abc", "-5", "1.5", "", "%00", "9".repeat(2_000)])(
    "[CA11] of a client may be %.20s, and is then ignored",
    async (cursor) => {
      const answer = await get(`${await server.newStream("abc")}?offset=-1&live=long-poll&cursor=${cursor}`);
      expect([answer.status, answer.text]).toEqual([200, "abc"]);
      expect(header(answer, "Stream-Cursor")).toMatch(/^\d{7,9}$/);
    },
  );

  it("[LP4] [CA9] comes with a 204, beside the tail and Stream-Up-To-Date", async () => {
    const url = await server.newStream("abc");
    const answer = await get(`${url}?offset=now&live=long-poll`);
    expect([answer.status, nextOffset(answer), header(answer, "Stream-Up-To-Date")]).toEqual([
      204,
      await tailOf(url),
      "true",
    ]);
    expect(header(answer, "Stream-Cursor")).toMatch(/^\d+$/);
    expect(answer.headers.get("Stream-Closed")).toBeNull();
  });
});

it("[SS14] [OF15] an SSE response ends by itself behind a control event, and resuming there loses nothing", async () => {
  const url = await server.newStream("", JSON_TYPE);
  const written: number[] = [];
  let done = false;
  const writing = (async () => {
    for (; !done; written.push(written.length)) await append(url, String(written.length), JSON_TYPE);
    await send("POST", url, { headers: CLOSE });
  })();
  const read: number[] = [];
  let offset = "-1";
  let sessions = 0;
  for (let closed = false; !closed; sessions += 1) {
    const events = await (await EventStream.open(`${url}?offset=${offset}&live=sse`)).rest();
    const last = events.at(-1);
    expect(last?.type).toBe("control");
    const control = JSON.parse(last?.data ?? "{}") as ControlEvent;
    for (const { type, data } of events) if (type === "data") read.push(...(JSON.parse(data) as number[]));
    offset = control.streamNextOffset;
    closed = control.streamClosed ?? false;
    done = sessions >= 1;
  }
  await writing;
  expect(sessions).toBeGreaterThanOrEqual(2);
  expect(read).toEqual(written);
});

describe("control events", () => {
  it("[SS8] [SS4] [OF8] the first comes at once where there is nothing to send", async () => {
    const url = await server.newStream("abc");
    for (const offset of ["now", await tailOf(url)]) {
      const events = await EventStream.open(`${url}?offset=${offset}&live=sse`);
      const control = await events.control();
      expect(control).toEqual({
        streamNextOffset: await tailOf(url),
        streamCursor: expect.stringMatching(/^\d+$/),
        upToDate: true,
      });
      events.close();
    }
  });

  it("[SS3] [SS5] one follows each data event, and upToDate is true only at the tail", async () => {
    const url = await server.newStream();
    // More than one page, so that the first event cannot reach the tail.
    const chunks = Array.from({ length: 6 }, (_, n) => String(n).repeat(200_000));
    for (const chunk of chunks) await append(url, chunk);
    const tail = await tailOf(url);
    const events = await EventStream.open(`${url}?offset=-1&live=sse`);
    let text = "";
    for (let atTail = false; !atTail;) {
      text += await events.data();
      const { upToDate, streamNextOffset } = await events.control();
      atTail = streamNextOffset === tail;
      expect(upToDate).toBe(atTail ? true : undefined);
    }
    expect(text).toBe(chunks.join(""));
    events.close();
  });

  it.each([
    ["without data", ""],
    ["with data", "last"],
  ])("[SS6] streamClosed is in the last one when the stream closes %s, and the response ends", async (_how, body) => {
    const url = await server.newStream();
    const events = await EventStream.open(`${url}?offset=-1&live=sse`);
    await events.control();
    await send("POST", url, { headers: { ...TEXT, ...CLOSE }, body });
    const rest = await events.rest();
    expect(rest.map(({ type }) => type)).toEqual(body === "" ? ["control"] : ["data", "control"]);
    expect(JSON.parse(rest.at(-1)?.data ?? "")).toEqual({
      streamNextOffset: await tailOf(url),
      upToDate: true,
      streamClosed: true,
    });
  });
});

describe("what SSE carries", () => {
  /** Reads a whole closed stream by SSE. */
  async function carried(contentType: string, ...bodies: (string | Uint8Array<ArrayBuffer>)[]) {
    const url = await server.newStream("", { "Content-Type": contentType });
    const live = await EventStream.open(`${url}?offset=-1&live=sse`);
    for (const body of bodies) await append(url, body, { "Content-Type": contentType });
    await send("POST", url, { headers: CLOSE });
    const dataOf = async (events: EventStream) =>
      (await events.rest()).filter(({ type }) => type === "data").map(({ data }) => data);
    const later = await dataOf(await EventStream.open(`${url}?offset=-1&live=sse`));
    return { live: await dataOf(live), later, encoding: live.response.headers.get("Stream-SSE-Data-Encoding") };
  }

  it.each([
    ["leading spaces", " a\n  b"],
    ["line feeds", "\n\na\n"],
    ["U+2028, NEL and NUL", "a\u2028b\u0085c\u0000d"],
    ["a byte order mark", "\ufeffa"],
    ["colons and field names", "id: 1\nevent: control\n: comment\nretry: 5"],
    ["a forged event", 'x\n\nevent: control\ndata:{"streamClosed":true}\n\n'],
  ])("[SS9] text with %s arrives unchanged", async (_what, text) => {
    const { live, later, encoding } = await carried("text/plain", text);
    expect([live.join(""), later.join(""), encoding]).toEqual([text, text, null]);
  });

  it("[SS9] CR and CRLF arrive as line feeds, the only thing that SSE changes", async () => {
    expect((await carried("text/plain", "a\rb\r\nc\r")).later).toEqual(["a\nb\nc\n"]);
  });

  it("[SS13] characters that are split across appends arrive whole", async () => {
    const text = "é€😀";
    const halves = Array.from(Buffer.from(text), (byte) => Uint8Array.of(byte));
    const { live, later } = await carried("text/plain; charset=utf-8", ...halves);
    expect([live.join(""), later.join("")]).toEqual([text, text]);
  });

  it("[SS10] [JS8] JSON arrives as arrays, with its source text unchanged", async () => {
    const { later } = await carried("application/json", '{"a":1.0,\r\n"a":12345678901234567890}', "[1,2]");
    expect(later.map((data) => data.replaceAll("\n", ""))).toEqual(['[{"a":1.0,"a":12345678901234567890},1,2]']);
  });

  it.each(["application/octet-stream", "application/foo+json", "image/png"])(
    "[SS11] [SS12] %s arrives as base64",
    async (type) => {
      const chunks = [1, 2, 3, 70_000].map((size) => Uint8Array.from({ length: size }, (_, n) => n % 251));
      const { live, later, encoding } = await carried(type, ...chunks);
      expect(encoding).toBe("base64");
      for (const data of [...live, ...later]) {
        const text = data.replaceAll("\n", "");
        expect(text).toMatch(/^[A-Za-z0-9+/]*={0,2}$/);
        expect(text.length % 4).toBe(0);
      }
      const decode = (parts: string[]) => Buffer.concat(parts.map((data) => Buffer.from(data, "base64")));
      for (const parts of [live, later]) expect(decode(parts).equals(Buffer.concat(chunks))).toBe(true);
    },
  );
});

describe("an SSE response", () => {
  it("[SS2] is a plain 404, 410 or 400 where the stream cannot be read", async () => {
    const url = await server.newStream("abc");
    const tail = await tailOf(url);
    await send("DELETE", url);
    const missing = await get(`${url}?offset=-1&live=sse`);
    await create(url);
    const gone = await get(`${url}?offset=${tail}&live=sse`);
    const malformed = await get(`${url}?offset=x&live=sse`);
    expect([missing, gone, malformed].map(({ status }) => status)).toEqual([404, 410, 400]);
    expect([missing, gone, malformed].map(codeOf)).toEqual(["stream-not-found", "offset-gone", "offset-invalid"]);
    for (const { headers } of [missing, gone, malformed]) {
      expect(headers.get("Content-Type")).toBe("application/problem+json");
    }
  });

  it("[SS1] has exactly the type text/event-stream, and forbids storing and transforming", async () => {
    const events = await EventStream.open(`${await server.newStream()}?offset=-1&live=sse`);
    expect(events.response.headers.get("Content-Type")).toBe("text/event-stream");
    expect(events.response.headers.get("Cache-Control")).toBe("no-cache, no-store, no-transform");
    events.close();
  });
});
