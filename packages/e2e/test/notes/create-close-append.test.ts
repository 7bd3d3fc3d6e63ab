/** Creating, closing, appending and deleting, on the wire. */
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

describe("Stream-Closed", () => {
  it.each(["true", "TRUE", "tRuE"])(
    "[CL1] %s closes the stream by PUT, by POST with a body and by POST without one",
    async (value) => {
      const [put, withBody, without] = [
        await newStream({ ...TEXT, "Stream-Closed": value }),
        await newStream(),
        await newStream(),
      ];
      expect((await append(withBody, "x", { "Stream-Closed": value })).status).toBe(204);
      expect((await send("POST", without, { headers: { "Stream-Closed": value } })).status).toBe(204);
      for (const url of [put, withBody, without]) expect(await isClosed(url)).toBe(true);
    },
  );

  it.each(NOT_TRUE)("[CL1] %j counts as no Stream-Closed at all, and is never an error", async (value) => {
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
])("[CR2] [CR3] a stream that is %s, created again as %s, answers %d", async (is, asked, status) => {
  const headersOf = (state: string) => (state === "closed" ? { ...TEXT, ...CLOSE } : TEXT);
  const url = await newStream(headersOf(is));
  expect((await send("PUT", url, { headers: headersOf(asked) })).status).toBe(status);
});

describe("PUT", () => {
  it("[CR1] [CR5] answers with the content type, the tail and the closure, and with an absolute Location when it created the stream", async () => {
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

  it("[CR6] [JS1] creates application/octet-stream when no content type is given", async () => {
    const url = server.newUrl();
    const created = await sendRaw({ method: "PUT", server: url, path: new URL(url).pathname });
    expect([created.status, created.headers["content-type"]]).toEqual([201, "application/octet-stream"]);
    expect(header(await get(url), "Content-Type")).toBe("application/octet-stream");
  });

  it("[CR4] [CR7] never appends its body to a stream that exists", async () => {
    const url = await newStream(TEXT, "abc");
    const confirmed = await send("PUT", url, { headers: TEXT, body: "def" });
    expect([confirmed.status, (await get(url)).text]).toEqual([200, "abc"]);
  });

  it.each(["{", "[1,]", "\u0000"])("[CR8] [JS5] creates nothing when its JSON is %j", async (body) => {
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
])("[CR2] [CR9] the configurations %j and %j are compared by their meaning: %d", async (first, second, status) => {
  const url = await newStream({ ...TEXT, ...first });
  expect((await send("PUT", url, { headers: { ...TEXT, ...second } })).status).toBe(status);
});

describe("lifetimes", () => {
  it.each([
    { "Stream-Expires-At": "2031-01-01" },
    { "Stream-Expires-At": "tomorrow" },
    { "Stream-TTL": "99999999999999999999" },
    { "Stream-TTL": "01" },
    { "Stream-TTL": "60", "Stream-Expires-At": "2031-01-01T00:00:00Z" },
  ])("[LT1] [LT2] [LT3] %j is refused", async (headers) => {
    expect(codeOf(await send("PUT", server.newUrl(), { headers }))).toBe("lifetime-invalid");
  });

  it.each([{ "Stream-TTL": "0" }, { "Stream-Expires-At": "2001-01-01T00:00:00Z" }])(
    "[LT10] %j creates a stream that is over at once",
    async (headers) => {
      const url = await newStream({ ...TEXT, ...headers }, "gone");
      expect((await get(url)).status).toBe(404);
      expect((await send("PUT", url, { headers: TEXT })).status).toBe(201);
      expect((await get(url)).text).toBe("");
    },
  );
});

describe("bodies", () => {
  it.each(["application/json", "text/html", "no type at all", ""])(
    "[CL6] a close without a body accepts the content type %j",
    async (type) => {
      const url = await newStream();
      const closed = await send("POST", url, { headers: { ...CLOSE, "Content-Type": type } });
      expect([closed.status, await isClosed(url)]).toEqual([204, true]);
    },
  );

  it("[AP5] a chunked body is appended whole", async () => {
    const url = await newStream();
    const { pathname } = new URL(url);
    const chunks = ["one ", "two ", "three"];
    const answer = await sendRaw({ method: "POST", server: url, path: pathname, headers: TEXT, chunks });
    expect([answer.status, (await get(url)).text]).toEqual([204, "one two three"]);
  });

  it("[AP4] a chunked body of no bytes is an empty body", async () => {
    const url = await newStream();
    const raw = { method: "POST", server: url, path: new URL(url).pathname, chunks: [] };
    const chunked = { ...TEXT, "Transfer-Encoding": "chunked" };
    expect(codeOf(await sendRaw({ ...raw, headers: chunked }))).toBe("body-empty");
    expect((await sendRaw({ ...raw, headers: { ...chunked, ...CLOSE } })).status).toBe(204);
    expect(await isClosed(url)).toBe(true);
  });

  it("[AP13] a slow body delays no other request", async () => {
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

it("[CL5] closing without a body is 204 with the tail and Stream-Closed, and so is closing again", async () => {
  const url = await newStream(TEXT, "abc");
  const tail = nextOffset(await get(url));
  for (const answer of [await send("POST", url, { headers: CLOSE }), await send("POST", url, { headers: CLOSE })]) {
    expect([answer.status, nextOffset(answer), header(answer, "Stream-Closed")]).toEqual([204, tail, "true"]);
  }
  expect((await get(url)).text).toBe("abc");
});

describe("append-and-close", () => {
  it("[AP17] is answered with Stream-Closed and the new tail", async () => {
    const url = await newStream(TEXT, "abc");
    const closed = await append(url, "last", CLOSE);
    expect([closed.status, header(closed, "Stream-Closed")]).toEqual([204, "true"]);
    expect([nextOffset(closed), (await get(url)).text]).toEqual([nextOffset(await get(url)), "abclast"]);
  });

  it("[CL4] readers who wait and readers who poll see the data and the closure together, or neither", async () => {
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

describe("the 409 of a closed stream says that it is closed and where it ends", () => {
  it.each([
    ["an append", {}],
    ["an append that closes", CLOSE],
    ["an append of a producer", producer(1)],
    ["a close by another tuple", { ...producer(1), ...CLOSE }],
    ["a close by another producer", { ...producer(0, 0, "q"), ...CLOSE }],
  ])("[CL7] [CL9] in answer to %s", async (_what, headers) => {
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

describe("of several faults, the most important one is reported", () => {
  const everything = { ...JSON_TYPE, "Stream-Seq": "a", ...producer(5) };

  it("[AP8] [AP10] a missing stream comes first", async () => {
    expect(codeOf(await append(server.newUrl(), "{", everything))).toBe("stream-not-found");
  });

  it("[AP8] then the closure, the content type and the sequences, in this order", async () => {
    const url = await newStream();
    await append(url, "x", { "Stream-Seq": "b" });
    expect(codeOf(await append(url, "{", everything))).toBe("content-type-mismatch");
    expect(codeOf(await append(url, "x", { ...producer(5), "Stream-Seq": "a" }))).toBe("producer-gap");
    expect(codeOf(await append(url, "x", { "Stream-Seq": "a" }))).toBe("stream-seq-regression");
    await send("POST", url, { headers: CLOSE });
    expect(codeOf(await append(url, "{", everything))).toBe("stream-closed");
    expect(codeOf(await append(url, "x".repeat(70_000), everything))).toBe("stream-closed");
  });

  it("[PR17] a producer's duplicate stays a duplicate although its Stream-Seq is not increasing", async () => {
    const url = await newStream();
    const headers = { ...producer(0), "Stream-Seq": "a" };
    expect((await append(url, "x", headers)).status).toBe(200);
    expect((await append(url, "x", headers)).status).toBe(204);
    expect((await get(url)).text).toBe("x");
  });
});

it("[AP6] [AP7] Stream-Seq must increase by its bytes, for the whole stream and across a restart", async () => {
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

describe("refusals", () => {
  it("[AP11] a method that streams do not have is 405 with Allow", async () => {
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

  it.each(["/healthz", "/readyz"])("[AP11] %s can only be read: other methods are 405 with Allow", async (path) => {
    for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
      const answer = await sendRaw({ method, server: server.url, path });
      expect([method, answer.status, answer.headers["allow"]]).toEqual([method, 405, "GET, HEAD, OPTIONS"]);
    }
    for (const method of ["GET", "HEAD"]) {
      expect((await sendRaw({ method, server: server.url, path })).status).toBe(200);
    }
  });

  it("[JS4] an empty array in an append is refused and closes nothing, but a PUT may have one", async () => {
    const url = server.newUrl();
    await create(url, { headers: JSON_TYPE, body: " [ ] " });
    expect(codeOf(await append(url, "[]", { ...JSON_TYPE, ...CLOSE }))).toBe("json-empty-array");
    expect(await isClosed(url)).toBe(false);
    expect((await get(url)).text).toBe("[]");
  });

  it("[AP3] an append with a body and without a content type is 400", async () => {
    const url = await newStream();
    const answer = await sendRaw({ method: "POST", server: url, path: new URL(url).pathname, chunks: ["x"] });
    expect(codeOf(answer)).toBe("content-type-missing");
  });
});

it("[DE1] [DE2] [AP10] a deleted stream is 404 for every request, also to delete it, and so is one that never existed", async () => {
  const url = await newStream(TEXT, "abc");
  expect((await send("DELETE", url)).status).toBe(204);
  for (const missing of [url, server.newUrl()]) {
    for (const method of ["GET", "HEAD", "DELETE"]) expect((await send(method, missing)).status).toBe(404);
    expect((await append(missing, "x")).status).toBe(404);
    expect((await send("POST", missing, { headers: CLOSE })).status).toBe(404);
  }
});
