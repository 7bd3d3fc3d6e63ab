import { describe, expect, it } from "vitest";

/** Reads, offsets and caching, on the wire. */
import { EventStream } from "../../src/event-stream.ts";
import {
  append,
  CLOSE,
  codeOf,
  create,
  get,
  header,
  JSON_TYPE,
  nextOffset,
  producer,
  send,
  TEXT,
  tailOf,
  type Answer,
} from "../../src/requests.ts";
import { useServer } from "../../src/test-server.ts";

const READ_BYTES_MAX = 65_536;
const server = useServer({ CORS_ORIGINS: "*", READ_BYTES_MAX, LONG_POLL_TIMEOUT_MS: 300, SSE_SESSION_SECONDS: 2 });

function ifNoneMatch(url: string, tag: string): Promise<Answer> {
  return get(url, { "If-None-Match": tag });
}

describe("Cache-Control", () => {
  it("[CA1] [CA14] a read up to the tail is fresh for a minute if its URL names the stream's incarnation", async () => {
    const url = await server.newStream("abc");
    const middle = await tailOf(url);
    await append(url, "def");
    const cacheControl = async (query: string): Promise<string> => header(await get(url + query), "Cache-Control");
    expect(await cacheControl(`?offset=${middle}`)).toBe(
      "public, max-age=60, stale-while-revalidate=300, stale-if-error=0",
    );
    expect(await cacheControl(`?offset=-1`)).toBe("public, no-cache, stale-if-error=0");
    expect(await cacheControl(`?offset=${await tailOf(url)}`)).toBe("public, no-cache, stale-if-error=0");
    expect(await cacheControl("")).toBe("no-store");
  });

  it.each([
    ["GET", "?offset=now", 200],
    ["HEAD", "", 200],
    ["GET", "?offset=nonsense", 400],
    ["GET", "?offset=now&live=long-poll", 204],
    ["GET", "?offset=now&live=sse", 200],
    ["GET", "/missing", 404],
    ["POST", "", 400],
    ["PATCH", "", 405],
    ["OPTIONS", "", 204],
  ])("[CA3] [OF6] [HE2] no cache stores the answer to %s %s", async (method, suffix, status) => {
    const answer = await send(method, (await server.newStream("abc")) + suffix);
    expect(answer.status).toBe(status);
    expect(header(answer, "Cache-Control")).toContain("no-store");
  });
});

describe("ETag", () => {
  it("[CA4] [OF6] every read has one, except at offset=now", async () => {
    const url = await server.newStream("abc");
    for (const query of ["", "?offset=-1", `?offset=${await tailOf(url)}`, "?offset=-1&live=long-poll"]) {
      expect(header(await get(url + query), "ETag")).toMatch(/^"[^"]+"$/);
    }
    expect((await get(`${url}?offset=now`)).headers.get("ETag")).toBeNull();
  });

  it("[CA7] [DE4] it does not outlive its stream: another stream of the same length at the URL is sent in full", async () => {
    const url = await server.newStream("old");
    const tag = header(await get(url), "ETag");
    await send("DELETE", url);
    await create(url, { headers: TEXT, body: "new" });
    const fresh = await ifNoneMatch(url, tag);
    expect([fresh.status, fresh.text]).toEqual([200, "new"]);
    expect(header(fresh, "ETag")).not.toBe(tag);
  });

  it("[CA5] it matches alone, in a list, weak, and as *", async () => {
    const url = await server.newStream("abc");
    const full = await get(url);
    const tag = header(full, "ETag");
    for (const sent of [tag, `W/${tag}`, `"other", ${tag}`, `${tag},"other"`, "*"]) {
      const answer = await ifNoneMatch(url, sent);
      expect([sent, answer.status, answer.text]).toEqual([sent, 304, ""]);
      for (const name of [
        "ETag",
        "Cache-Control",
        "Stream-Next-Offset",
        "Stream-Up-To-Date",
        "Access-Control-Allow-Origin",
      ]) {
        expect([name, answer.headers.get(name)]).toEqual([name, header(full, name)]);
      }
    }
    for (const sent of ['"other"', "nonsense", tag.slice(1, -1)])
      expect((await ifNoneMatch(url, sent)).status).toBe(200);
  });

  it("[CA5] an append changes it", async () => {
    const url = await server.newStream("abc");
    const tag = header(await get(url), "ETag");
    await append(url, "def");
    expect((await ifNoneMatch(url, tag)).text).toBe("abcdef");
  });

  it("[CA6] it changes when the stream closes, at the tail and for the full range", async () => {
    const url = await server.newStream("abc");
    const places = ["", `?offset=${await tailOf(url)}`];
    const tags = await Promise.all(places.map(async (place) => header(await get(url + place), "ETag")));
    await send("POST", url, { headers: CLOSE });
    for (const [index, place] of places.entries()) {
      const answer = await ifNoneMatch(url + place, tags[index] ?? "");
      expect([answer.status, header(answer, "Stream-Closed")]).toEqual([200, "true"]);
      const closed = await ifNoneMatch(url + place, header(answer, "ETag"));
      expect([closed.status, header(closed, "Stream-Closed")]).toEqual([304, "true"]);
    }
  });
});

describe("a read that is cut", () => {
  async function readInParts(url: string): Promise<Answer[]> {
    const parts = [await get(`${url}?offset=-1`)];
    for (let last = parts[0]; last !== undefined && last.headers.get("Stream-Up-To-Date") === null;) {
      last = await get(`${url}?offset=${nextOffset(last)}`);
      parts.push(last);
    }
    return parts;
  }

  it.each([
    ["open", {}],
    ["closed", CLOSE],
  ])(
    "[RE3] [RE4] [RE5] of a stream that is %s: only the last part says so, and no message is split",
    async (_state, closing) => {
      const url = await server.newStream("", JSON_TYPE);
      const messages = Array.from({ length: 30 }, (_, n) => ({ n, text: "é".repeat(5_000) }));
      for (const message of messages) await append(url, JSON.stringify(message), { ...JSON_TYPE });
      const last = await append(url, '"end"', { ...JSON_TYPE, ...closing });
      const parts = await readInParts(url);
      expect(parts.length).toBeGreaterThan(2);
      expect(parts.flatMap(({ text }) => JSON.parse(text) as unknown[])).toEqual([...messages, "end"]);
      for (const part of parts.slice(0, -1)) {
        expect(part.headers.get("Stream-Closed")).toBeNull();
        expect(Buffer.byteLength(part.text)).toBeLessThanOrEqual(READ_BYTES_MAX + 2);
      }
      expect(parts.at(-1)?.headers.get("Stream-Closed") ?? null).toBe("Stream-Closed" in closing ? "true" : null);
      expect(nextOffset(parts.at(-1) ?? last)).toBe(nextOffset(last));
    },
  );

  it("[RE5] in bytes: the parts joined are the stream, and no append is cut", async () => {
    const url = await server.newStream();
    const chunks = Array.from({ length: 12 }, (_, n) => String.fromCharCode(97 + n).repeat(20_000));
    const large = "L".repeat(3 * READ_BYTES_MAX);
    for (const chunk of [...chunks, large, "end"]) await append(url, chunk);
    const parts = await readInParts(url);
    expect(parts.map(({ text }) => text).join("")).toBe(`${chunks.join("")}${large}end`);
    expect(parts.some(({ text }) => text.includes(large))).toBe(true);
  });

  it("[CA13] by an offset never changes, and may be kept for ever", async () => {
    const url = await server.newStream();
    await append(url, "a".repeat(40_000));
    const first = await get(url);
    for (let n = 0; n < 3; n += 1) await append(url, "b".repeat(40_000));
    const middle = await get(`${url}?offset=${nextOffset(first)}`);
    expect(header(middle, "Cache-Control")).toBe("public, max-age=3600, immutable");
    await append(url, "more");
    expect((await get(`${url}?offset=${nextOffset(first)}`)).text).toBe(middle.text);
    expect(header(await get(url), "Cache-Control")).not.toContain("immutable");
  });
});

describe("a closed stream", () => {
  it("[RE4] [RE2] [OF9] [SS7] says so with its last data, at its tail, to HEAD, and at offset=now in every mode", async () => {
    const url = await server.newStream("abc", { ...TEXT, ...CLOSE });
    const tail = await tailOf(url);
    for (const [query, text] of [
      ["", "abc"],
      [`?offset=${tail}`, ""],
      ["?offset=now", ""],
    ]) {
      const answer = await get(url + query);
      expect([answer.status, answer.text, header(answer, "Stream-Closed")]).toEqual([200, text, "true"]);
      expect([nextOffset(answer), header(answer, "Stream-Up-To-Date")]).toEqual([tail, "true"]);
    }
    expect(header(await send("HEAD", url), "Stream-Closed")).toBe("true");
    const polled = await get(`${url}?offset=now&live=long-poll`);
    expect([polled.status, header(polled, "Stream-Closed")]).toEqual([204, "true"]);
    const events = await get(`${url}?offset=now&live=sse`);
    expect(events.text).toBe(
      `id: ${tail}\nevent: control\ndata:${JSON.stringify({ streamNextOffset: tail, upToDate: true, streamClosed: true })}\n\n`,
    );
  });

  it("[JS6] of JSON reads as [] where there is nothing", async () => {
    const url = await server.newStream("1", { ...JSON_TYPE, ...CLOSE });
    for (const query of [`?offset=${await tailOf(url)}`, "?offset=now"])
      expect((await get(url + query)).text).toBe("[]");
  });
});

describe("offsets", () => {
  it.each(["", "&live=long-poll", "&live=sse"])(
    "[OF11] [OF12] beyond the tail are 400, and those of a deleted stream 410 (%s)",
    async (live) => {
      const url = await server.newStream("abc");
      const [incarnation] = (await tailOf(url)).split("_");
      const beyond = await get(`${url}?offset=${incarnation}_0000000000000005${live}`);
      expect([beyond.status, codeOf(beyond)]).toEqual([400, "offset-beyond-tail"]);
      const tail = await tailOf(url);
      await send("DELETE", url);
      await create(url, { headers: TEXT, body: "abcdef" });
      const gone = await get(`${url}?offset=${tail}${live}`);
      expect([gone.status, codeOf(gone)]).toEqual([410, "offset-gone"]);
    },
  );

  it("[OF2] [OF3] [OF4] [IN6] increase with every append, across a restart and a new stream at the URL, and are URL-safe", async () => {
    const url = await server.newStream();
    const offsets = [await tailOf(url)];
    for (const seq of [0, 1, 2]) offsets.push(nextOffset(await append(url, "x".repeat(seq + 1), producer(seq))));
    await server.restart();
    expect(await tailOf(url)).toBe(offsets.at(-1));
    offsets.push(nextOffset(await append(url, "y")));
    await send("DELETE", url);
    await server.restart();
    await create(url);
    offsets.push(await tailOf(url));
    expect(offsets).toEqual([...new Set(offsets)].toSorted());
    for (const offset of offsets) expect(offset).toMatch(/^[\w~.-]{1,255}$/);
  });

  it("[OF3] do not move when nothing is added", async () => {
    const url = await server.newStream();
    const tail = nextOffset(await append(url, "x", producer(0)));
    await append(url, "x", producer(0));
    await append(url, "x", producer(5));
    await append(url, "{", JSON_TYPE);
    expect([await tailOf(url), nextOffset(await get(`${url}?offset=${tail}`))]).toEqual([tail, tail]);
  });

  it("[OF13] [OF14] at which no append ends mean the largest boundary below, up to one past the tail, in every mode", async () => {
    const url = await server.newStream("abc");
    await append(url, "defg");
    const [incarnation] = (await tailOf(url)).split("_");
    const at = (position: number): string => `${incarnation}_${String(position).padStart(16, "0")}`;
    for (const live of ["", "&live=long-poll"]) {
      const texts = [0, 3, 4, 6].map(async (position) => (await get(`${url}?offset=${at(position)}${live}`)).text);
      expect(await Promise.all(texts)).toEqual(["abcdefg", "defg", "defg", "defg"]);
    }
    const events = await EventStream.open(`${url}?offset=${at(5)}&live=sse`);
    expect([await events.data(), (await events.control()).streamNextOffset]).toEqual(["defg", at(7)]);
    events.close();
    const past = await get(`${url}?offset=${at(8)}`);
    expect([past.text, nextOffset(past), past.headers.get("Stream-Up-To-Date")]).toEqual(["", at(7), "true"]);
  });

  it("[OF14] [CA13] one past the tail wait for what comes next, and no cache keeps the answer", async () => {
    const url = await server.newStream("abc");
    const [incarnation] = (await tailOf(url)).split("_");
    const past = `${incarnation}_0000000000000004`;
    const events = await EventStream.open(`${url}?offset=${past}&live=sse`);
    await events.control();
    const waiting = get(`${url}?offset=${past}&live=long-poll`);
    await append(url, "d");
    // By now an append ends at this offset, and whoever has it as such must not get that append again.
    const answer = await waiting;
    expect([answer.status, answer.text].join()).toMatch(/^(200,d|204,)$/);
    expect(answer.headers.get("Cache-Control")).toMatch(/no-(cache|store)/);
    expect(await events.data()).toBe("d");
    events.close();
    expect((await get(`${url}?offset=${past}`)).text).toBe("");
  });

  it("[OF13] [CA13] inside an append have the entity tag of what they return, and are not kept without revalidation", async () => {
    const url = await server.newStream("abc");
    const first = await tailOf(url);
    await append(url, "defg");
    const inside = first.replace(/3$/, "5");
    const [exact, made] = [await get(`${url}?offset=${first}`), await get(`${url}?offset=${inside}`)];
    expect(header(made, "ETag")).toBe(header(exact, "ETag"));
    expect(header(made, "Cache-Control")).toContain("no-cache");
    expect((await get(`${url}?offset=${inside}`, { "If-None-Match": header(made, "ETag") })).status).toBe(304);
  });

  it("[OF13] inside an append fork the stream, and read a fork, from where that append begins", async () => {
    const url = await server.newStream("abc");
    const first = await tailOf(url);
    await append(url, "defg");
    const inside = first.replace(/3$/, "5");
    const fork = server.newUrl();
    const headers = { "Stream-Forked-From": new URL(url).pathname, "Stream-Fork-Offset": inside };
    expect(nextOffset(await create(fork, { headers }))).toBe(first);
    expect((await send("PUT", fork, { headers })).status).toBe(200);
    await append(fork, "xyz");
    // One past the fork point, in the source's words: the fork's own bytes follow.
    expect((await get(`${fork}?offset=${first.replace(/3$/, "4")}`)).text).toBe("xyz");
  });

  it.each(["", "&live=long-poll", "&live=sse"])(
    "[OF13] inside the very first append are 400, because they would return the whole stream (%s)",
    async (live) => {
      const url = await server.newStream("abc");
      await append(url, "defg");
      const inside = (await tailOf(url)).replace(/7$/, "2");
      expect(codeOf(await get(`${url}?offset=${inside}${live}`))).toBe("offset-invalid");
    },
  );

  it("[OF12] of another stream are 410, and the answer does not claim that this one was deleted", async () => {
    const other = await tailOf(await server.newStream("other"));
    const gone = await get(`${await server.newStream("abc")}?offset=${other}`);
    expect([gone.status, codeOf(gone)]).toEqual([410, "offset-gone"]);
    expect(gone.text).toContain("another stream");
  });

  it("[OF15] [AP1] in the answer to an append are where its reader continues", async () => {
    const url = await server.newStream();
    const first = nextOffset(await append(url, "one"));
    await append(url, "two");
    expect((await get(`${url}?offset=${first}`)).text).toBe("two");
  });
});

it.each([
  [TEXT, "abc", ""],
  [JSON_TYPE, '"abc"', "[]"],
])("[OF6] a catch-up read at now of %j has no data, and says where the stream ends", async (type, body, nothing) => {
  const url = await server.newStream(body, type);
  const answer = await get(`${url}?offset=now`);
  expect([answer.status, answer.text, header(answer, "Content-Type")]).toEqual([200, nothing, type["Content-Type"]]);
  expect([nextOffset(answer), header(answer, "Stream-Up-To-Date")]).toEqual([await tailOf(url), "true"]);
  expect([header(answer, "Cache-Control"), answer.headers.get("ETag")]).toEqual(["no-store", null]);
});

it.each([
  [TEXT, "abc", ""],
  [JSON_TYPE, '"abc"', "[]"],
])(
  "[RE2] [RE3] [JS6] a read at the tail of %j is 200 with no data and the same offset",
  async (type, body, nothing) => {
    const url = await server.newStream(body, type);
    const tail = await tailOf(url);
    const answer = await get(`${url}?offset=${tail}`);
    expect([answer.status, answer.text, nextOffset(answer)]).toEqual([200, nothing, tail]);
    expect([header(answer, "Stream-Up-To-Date"), answer.headers.get("Stream-Closed")]).toEqual(["true", null]);
  },
);

it("[HE1] HEAD returns the content type, the tail and the closure, and no body", async () => {
  const url = await server.newStream("abc");
  const tail = nextOffset(await get(url));
  for (const closed of [null, "true"]) {
    const head = await send("HEAD", url);
    expect([head.status, head.text, header(head, "Content-Type")]).toEqual([200, "", "text/plain"]);
    expect([nextOffset(head), head.headers.get("Stream-Closed")]).toEqual([tail, closed]);
    await send("POST", url, { headers: CLOSE });
  }
  await send("DELETE", url);
  expect((await send("HEAD", url)).status).toBe(404);
});

describe("the query", () => {
  it.each([
    ["offset=-1&live=bogus", "parameter-invalid"],
    ["offset=-1&live=", "parameter-invalid"],
    ["offset=-1&live=SSE", "parameter-invalid"],
    ["offset=-1&live=true", "parameter-invalid"],
    ["offset=-1&live=sse&live=sse", "parameter-invalid"],
    ["offset=-1&offset=now", "parameter-invalid"],
    ["offset=-1&live=long-poll&cursor=1&cursor=2", "parameter-invalid"],
    ["live=sse", "parameter-invalid"],
    ["live=long-poll", "parameter-invalid"],
    ["offset=", "offset-invalid"],
    ["offset=&live=sse", "offset-invalid"],
    ["offset=a,b", "offset-invalid"],
    ["offset=a/b", "offset-invalid"],
    ["offset=%00", "offset-invalid"],
    ["offset=%0A", "offset-invalid"],
    ["offset=%20-1", "offset-invalid"],
  ])("[RE7] [OF10] [LP1] %s is 400", async (query, code) => {
    const answer = await get(`${await server.newStream("abc")}?${query}`);
    expect([answer.status, codeOf(answer)]).toEqual([400, code]);
  });

  it("[RE8] [CA11] may have any order, foreign parameters and an empty cursor", async () => {
    const url = await server.newStream("abc");
    for (const query of ["live=long-poll&cursor=&offset=-1", "token=t&offset=-1", "offset=%2D1&x=1&x=2", "OFFSET=z"]) {
      const answer = await get(`${url}?${query}`);
      expect([query, answer.status, answer.text]).toEqual([query, 200, "abc"]);
    }
  });
});
