/** Section A of the protocol notes: create, close, append. */
import { describe, expect, it } from "vitest";

import { sendRaw, utf8Header } from "../../src/raw-http.ts";
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
} from "../../src/requests.ts";
import { useServer } from "../../src/test-server.ts";

const server = useServer({ APPEND_BYTES_MAX: 65_536, LONG_POLL_TIMEOUT_MS: 25_000 });
const NOT_TRUE = ["yes", "1", "false", ""];

async function newStream(headers: Record<string, string> = TEXT, body?: string): Promise<string> {
  const url = server.newUrl();
  await create(url, body === undefined ? { headers } : { headers, body });
  return url;
}

async function isClosed(url: string): Promise<boolean> {
  return (await send("HEAD", url)).headers.get("Stream-Closed") === "true";
}

describe("[A1] Stream-Closed", () => {
  it.each(["true", "TRUE", "tRuE"])("[A1] %s closes by PUT, by POST with a body and by POST without", async (value) => {
    const [put, withBody, without] = [
      await newStream({ ...TEXT, "Stream-Closed": value }),
      await newStream(),
      await newStream(),
    ];
    expect((await append(withBody, "x", { "Stream-Closed": value })).status).toBe(204);
    expect((await send("POST", without, { headers: { "Stream-Closed": value } })).status).toBe(204);
    for (const url of [put, withBody, without]) expect(await isClosed(url)).toBe(true);
  });

  it.each(NOT_TRUE)("[A1] %j is as if absent, and never an error", async (value) => {
    const url = await newStream({ ...TEXT, "Stream-Closed": value });
    expect((await append(url, "x", { "Stream-Closed": value })).status).toBe(204);
    expect(codeOf(await send("POST", url, { headers: { "Stream-Closed": value } }))).toBe("body-empty");
    expect(await isClosed(url)).toBe(false);
  });
});

it.each([
  ["open", "open", 200],
  ["closed", "open", 409],
  ["closed", "closed", 200],
  ["open", "closed", 409],
])("[A2] a stream that is %s, asked for as %s, answers %d", async (is, asked, status) => {
  const headersOf = (state: string) => (state === "closed" ? { ...TEXT, ...CLOSE } : TEXT);
  const url = await newStream(headersOf(is));
  expect((await send("PUT", url, { headers: headersOf(asked) })).status).toBe(status);
});

describe("[A3] PUT", () => {
  it("[A3] answers with type, tail and closure, and names an absolute URL when it created", async () => {
    const url = server.newUrl();
    const parts = { headers: { ...TEXT, ...CLOSE }, body: "abc" };
    const created = await send("PUT", url, parts);
    const confirmed = await send("PUT", url, parts);
    expect([created.status, confirmed.status]).toEqual([201, 200]);
    expect(header(created, "Location")).toBe(url);
    for (const answer of [created, confirmed]) {
      expect(header(answer, "Content-Type")).toBe("text/plain");
      expect(header(answer, "Stream-Closed")).toBe("true");
      expect(nextOffset(answer)).toBe(nextOffset(await get(url)));
    }
  });

  it("[A3] never adds its body to a stream that exists", async () => {
    const url = await newStream(TEXT, "abc");
    const confirmed = await send("PUT", url, { headers: TEXT, body: "def" });
    expect([confirmed.status, (await get(url)).text]).toEqual([200, "abc"]);
  });

  it.each(["{", "[1,]", "\u0000"])("[A3] creates nothing when its JSON is %j", async (body) => {
    const url = server.newUrl();
    expect(codeOf(await send("PUT", url, { headers: JSON_TYPE, body }))).toBe("json-invalid");
    expect((await send("HEAD", url)).status).toBe(404);
  });
});

it.each([
  [{ "Stream-Expires-At": "2031-01-31T12:00:00Z" }, { "Stream-Expires-At": "2031-01-31T13:00:00+01:00" }, 200],
  [{ "Stream-Expires-At": "2031-01-31T12:00:00Z" }, { "Stream-Expires-At": "2031-01-31T12:00:01Z" }, 409],
  [{ "Content-Type": "text/plain" }, { "Content-Type": "Text/PLAIN; charset=utf-8" }, 200],
  [{ "Content-Type": "text/plain" }, { "Content-Type": "text/html" }, 409],
  [{ "Stream-TTL": "60" }, { "Stream-TTL": "61" }, 409],
])("[A4] %j and %j are compared by what they mean: %d", async (first, second, status) => {
  const url = await newStream({ ...TEXT, ...first });
  expect((await send("PUT", url, { headers: { ...TEXT, ...second } })).status).toBe(status);
});

describe("[A5] lifetimes", () => {
  it.each([
    { "Stream-Expires-At": "2031-01-01" },
    { "Stream-Expires-At": "tomorrow" },
    { "Stream-TTL": "99999999999999999999" },
    { "Stream-TTL": "01" },
    { "Stream-TTL": "60", "Stream-Expires-At": "2031-01-01T00:00:00Z" },
  ])("[A5] %j is refused", async (headers) => {
    expect(codeOf(await send("PUT", server.newUrl(), { headers }))).toBe("lifetime-invalid");
  });

  it.each([{ "Stream-TTL": "0" }, { "Stream-Expires-At": "2001-01-01T00:00:00Z" }])(
    "[A5] %j makes a stream that is over at once",
    async (headers) => {
      const url = await newStream({ ...TEXT, ...headers }, "gone");
      expect((await get(url)).status).toBe(404);
      expect((await send("PUT", url, { headers: TEXT })).status).toBe(201);
      expect((await get(url)).text).toBe("");
    },
  );
});

describe("[A6] bodies", () => {
  it.each(["application/json", "text/html", "no type at all", ""])(
    "[A6] a close without a body does not mind Content-Type %j",
    async (type) => {
      const url = await newStream();
      const closed = await send("POST", url, { headers: { ...CLOSE, "Content-Type": type } });
      expect([closed.status, await isClosed(url)]).toEqual([204, true]);
    },
  );

  it("[A6] chunked bodies are appended whole", async () => {
    const url = await newStream();
    const { pathname } = new URL(url);
    const chunks = ["one ", "two ", "three"];
    const answer = await sendRaw({ method: "POST", server: url, path: pathname, headers: TEXT, chunks });
    expect([answer.status, (await get(url)).text]).toEqual([204, "one two three"]);
  });

  it("[A6] a chunked body of no bytes is an empty body", async () => {
    const url = await newStream();
    const raw = { method: "POST", server: url, path: new URL(url).pathname, chunks: [] };
    const chunked = { ...TEXT, "Transfer-Encoding": "chunked" };
    expect(codeOf(await sendRaw({ ...raw, headers: chunked }))).toBe("body-empty");
    expect((await sendRaw({ ...raw, headers: { ...chunked, ...CLOSE } })).status).toBe(204);
    expect(await isClosed(url)).toBe(true);
  });

  it("[A6] a slow body holds up nobody else", async () => {
    const url = await newStream();
    const halves = Promise.withResolvers<string>();
    const chunks = (async function* () {
      yield "slow ";
      yield await halves.promise;
    })();
    const slow = sendRaw({ method: "POST", server: url, path: new URL(url).pathname, headers: TEXT, chunks });
    expect((await append(url, "quick ")).status).toBe(204);
    expect((await get(url)).text).toBe("quick ");
    halves.resolve("body");
    expect([(await slow).status, (await get(url)).text]).toEqual([204, "quick slow body"]);
  });
});

describe("[A7] append-and-close", () => {
  it("[A7] is one step for readers who wait and readers who poll", async () => {
    const url = await newStream();
    const tail = nextOffset(await send("HEAD", url));
    const waiting = get(`${url}?offset=${tail}&live=long-poll`);
    const closing = append(url, "last", CLOSE);
    const polls = await Promise.all(Array.from({ length: 20 }, () => get(`${url}?offset=${tail}`)));
    expect((await closing).status).toBe(204);
    for (const { text, headers } of [...polls, await waiting]) {
      expect(["", "last"]).toContain(text);
      expect(headers.get("Stream-Closed")).toBe(text === "last" ? "true" : null);
    }
    expect((await waiting).text).toBe("last");
  });
});

describe("[A8] 409 of a closed stream says so, and where it ends", () => {
  it.each([
    ["an append", {}],
    ["an append that closes", CLOSE],
    ["an append of a producer", producer(1)],
    ["a close by another tuple", { ...producer(1), ...CLOSE }],
    ["a close by another producer", { ...producer(0, 0, "q"), ...CLOSE }],
  ])("[A8] %s", async (_what, headers) => {
    const url = await newStream();
    const closed = await append(url, "end", { ...producer(0), ...CLOSE });
    expect(closed.status).toBe(200);
    const refused = await append(url, "more", headers);
    expect([refused.status, codeOf(refused)]).toEqual([409, "stream-closed"]);
    expect(header(refused, "Stream-Closed")).toBe("true");
    expect(nextOffset(refused)).toBe(nextOffset(closed));
    expect((await get(url)).text).toBe("end");
  });
});

describe("[A9] of several faults, the most important is told", () => {
  const everything = { ...JSON_TYPE, "Stream-Seq": "a", ...producer(5) };

  it("[A9] a missing stream comes before all", async () => {
    expect(codeOf(await append(server.newUrl(), "{", everything))).toBe("stream-not-found");
  });

  it("[A9] then closed, then content type, then the sequences", async () => {
    const url = await newStream();
    await append(url, "x", { "Stream-Seq": "b" });
    expect(codeOf(await append(url, "{", everything))).toBe("content-type-mismatch");
    expect(codeOf(await append(url, "x", { ...producer(5), "Stream-Seq": "a" }))).toBe("producer-gap");
    expect(codeOf(await append(url, "x", { "Stream-Seq": "a" }))).toBe("stream-seq-regression");
    await send("POST", url, { headers: CLOSE });
    expect(codeOf(await append(url, "{", everything))).toBe("stream-closed");
    expect(codeOf(await append(url, "x".repeat(70_000), everything))).toBe("stream-closed");
  });

  it("[A9] a producer's duplicate is one, even where Stream-Seq no longer grows", async () => {
    const url = await newStream();
    const headers = { ...producer(0), "Stream-Seq": "a" };
    expect((await append(url, "x", headers)).status).toBe(200);
    expect((await append(url, "x", headers)).status).toBe(204);
    expect((await get(url)).text).toBe("x");
  });
});

it("[A10] Stream-Seq grows byte by byte, per stream, and over a restart", async () => {
  const url = await newStream();
  const path = new URL(url).pathname;
  const appendWith = async (seq: string): Promise<number> => {
    const headers = { ...TEXT, "Stream-Seq": utf8Header(seq) };
    return (await sendRaw({ method: "POST", server: url, path, headers, chunks: ["x"] })).status;
  };
  const ascending = ["A", "a", "aa", "b", "z", "é", "\uffff", "😀"];
  for (const seq of ascending) expect([seq, await appendWith(seq)]).toEqual([seq, 204]);
  for (const seq of ascending) expect([seq, await appendWith(seq)]).toEqual([seq, 409]);
  await server.restart();
  expect([await appendWith("\uffff"), await appendWith("😀"), await appendWith("😀a")]).toEqual([409, 409, 204]);
});

describe("[A11] refusals", () => {
  it("[A11] a method that streams do not know is 405 with Allow", async () => {
    const url = await newStream();
    for (const method of ["PATCH", "PROPFIND", "QUERY", "TRACE", "LOCK"]) {
      const answer = await sendRaw({ method, server: url, path: new URL(url).pathname });
      expect([method, answer.status, answer.headers["allow"]]).toEqual([
        method,
        405,
        "GET, HEAD, POST, PUT, DELETE, OPTIONS",
      ]);
    }
  });

  it.each(["/healthz", "/readyz"])("[A11] %s is only read: other methods are 405 with Allow", async (path) => {
    for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
      const answer = await sendRaw({ method, server: server.url, path });
      expect([method, answer.status, answer.headers["allow"]]).toEqual([method, 405, "GET, HEAD, OPTIONS"]);
    }
    for (const method of ["GET", "HEAD"]) {
      expect((await sendRaw({ method, server: server.url, path })).status).toBe(200);
    }
  });

  it("[A11] an empty array is refused, closes nothing, and is fine in a PUT", async () => {
    const url = server.newUrl();
    await create(url, { headers: JSON_TYPE, body: " [ ] " });
    expect(codeOf(await append(url, "[]", { ...JSON_TYPE, ...CLOSE }))).toBe("json-empty-array");
    expect(await isClosed(url)).toBe(false);
    expect((await get(url)).text).toBe("[]");
  });

  it("[A11] an append without a content type is 400", async () => {
    const url = await newStream();
    const answer = await sendRaw({ method: "POST", server: url, path: new URL(url).pathname, chunks: ["x"] });
    expect(codeOf(answer)).toBe("content-type-missing");
  });
});
