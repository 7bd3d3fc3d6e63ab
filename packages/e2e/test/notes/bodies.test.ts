/** Section A of the protocol notes: large and compressed bodies. */
import { deflateSync, gzipSync, brotliCompressSync, deflateRawSync } from "node:zlib";

import { describe, expect, it } from "vitest";

import { sendRaw } from "../../src/raw-http.ts";
import { append, codeOf, get, JSON_TYPE, send, TEXT } from "../../src/requests.ts";
import { useServer } from "../../src/test-server.ts";

const LIMIT = 65_536;
const MIB = 1024 * 1024;
const server = useServer({ APPEND_BYTES_MAX: LIMIT, BODY_TIMEOUT_SECONDS: 3 });

function bytes(buffer: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer);
}

describe("a body over the limit is 413, and its sender can read that answer", () => {
  it("[AP9] exactly the limit is accepted, one byte more is not", async () => {
    const url = await server.newStream();
    expect((await append(url, "x".repeat(LIMIT))).status).toBe(204);
    const refused = await append(url, "x".repeat(LIMIT + 1));
    expect([refused.status, codeOf(refused)]).toEqual([413, "body-too-large"]);
    expect(refused.text).toContain(String(LIMIT));
    expect((await get(url)).text).toHaveLength(LIMIT);
  });

  // Whether a sender is cut off before it reads is a matter of luck, hence the repetitions.
  it("[AP9] for 30 MB with a Content-Length, each of five times", async () => {
    const url = await server.newStream();
    const body = new Uint8Array(30 * MIB);
    for (let round = 0; round < 5; round += 1) expect(codeOf(await append(url, body))).toBe("body-too-large");
    expect((await get(url)).text).toBe("");
  });

  it("[AP9] for 30 MB in chunks, each of five times", async () => {
    const url = await server.newStream();
    const raw = { method: "POST", server: url, path: new URL(url).pathname, headers: TEXT };
    const chunks = Array.from({ length: 30 }, () => Buffer.alloc(MIB, "x"));
    for (let round = 0; round < 5; round += 1) expect(codeOf(await sendRaw({ ...raw, chunks }))).toBe("body-too-large");
    expect((await get(url)).text).toBe("");
  });

  it("[AP9] [CR8] for PUT as well, which then creates nothing", async () => {
    const url = server.newUrl();
    expect((await send("PUT", url, { headers: TEXT, body: "x".repeat(LIMIT + 1) })).status).toBe(413);
    expect((await send("HEAD", url)).status).toBe(404);
  });

  it("[AP9] and 30 MB that are refused whatever they contain get their answer, too", async () => {
    const chunks = Array.from({ length: 30 }, () => Buffer.alloc(MIB, "x"));
    const path = new URL(server.newUrl()).pathname;
    const headers = { ...TEXT, "Stream-TTL": "nonsense" };
    const refused = await sendRaw({ method: "PUT", server: server.url, path, headers, chunks });
    expect(codeOf(refused)).toBe("lifetime-invalid");
  });

  it("[AP9] and a sender that stops in the middle gets its answer, too", async () => {
    const url = await server.newStream();
    const answered = Promise.withResolvers<void>();
    const chunks = (async function* () {
      yield Buffer.alloc(LIMIT + 1);
      await answered.promise;
    })();
    const refused = await sendRaw({ method: "POST", server: url, path: new URL(url).pathname, headers: TEXT, chunks });
    answered.resolve();
    expect(refused.status).toBe(413);
  });
});

describe("Content-Encoding", () => {
  it.each([
    ["gzip", gzipSync("hello")],
    ["GZIP", gzipSync("hello")],
    ["x-gzip", gzipSync("hello")],
    ["deflate", deflateSync("hello")],
    ["identity", Buffer.from("hello")],
  ])("[AP14] %s is decoded, in POST and PUT", async (encoding, body) => {
    const [url, other] = [await server.newStream(), server.newUrl()];
    const headers = { ...TEXT, "Content-Encoding": encoding };
    expect((await append(url, bytes(body), headers)).status).toBe(204);
    expect((await send("PUT", other, { headers, body: bytes(body) })).status).toBe(201);
    for (const read of [await get(url), await get(other)]) {
      expect([read.text, read.headers.get("Content-Encoding")]).toEqual(["hello", null]);
    }
  });

  it("[AP14] JSON is validated after decoding", async () => {
    const url = await server.newStream("", JSON_TYPE);
    const headers = { ...JSON_TYPE, "Content-Encoding": "gzip" };
    expect((await append(url, bytes(gzipSync('[{"a":1}]')), headers)).status).toBe(204);
    expect(codeOf(await append(url, bytes(gzipSync("{")), headers))).toBe("json-invalid");
    expect((await get(url)).text).toBe('[{"a":1}]');
  });

  it.each([
    ["br", brotliCompressSync("hello")],
    ["zstd", Buffer.from("hello")],
    ["gzip, gzip", gzipSync(gzipSync("hello"))],
    ["nonsense", Buffer.from("hello")],
  ])("[AP14] %s is 415, and the answer says what is accepted", async (encoding, body) => {
    const url = await server.newStream();
    const refused = await append(url, bytes(body), { "Content-Encoding": encoding });
    expect([refused.status, codeOf(refused)]).toEqual([415, "content-encoding-unsupported"]);
    expect(refused.headers.get("Accept-Encoding")).toBe("gzip, deflate, identity");
    expect((await get(url)).text).toBe("");
  });

  it.each([
    ["text that says gzip", "gzip", Buffer.from("hello")],
    ["gzip cut short", "gzip", gzipSync("hello".repeat(100)).subarray(0, -12)],
    ["deflate without its header", "deflate", deflateRawSync("hello")],
  ])("[AP14] %s is 400 and stores nothing", async (_what, encoding, body) => {
    const url = await server.newStream();
    expect(codeOf(await append(url, bytes(body), { "Content-Encoding": encoding }))).toBe("content-encoding-broken");
    expect((await get(url)).text).toBe("");
  });

  it("[AP14] gzip of several members is decoded whole, as log shippers send it", async () => {
    const url = await server.newStream();
    const body = Buffer.concat([gzipSync("one "), gzipSync(""), gzipSync("two "), gzipSync("x".repeat(50_000))]);
    expect((await append(url, bytes(body), { "Content-Encoding": "gzip" })).status).toBe(204);
    expect((await get(url)).text).toBe(`one two ${"x".repeat(50_000)}`);
  });

  it("[AP14] gzip of several members is refused whole when one of them does not decode, or is too large", async () => {
    const url = await server.newStream();
    const gzip = { "Content-Encoding": "gzip" };
    const broken = Buffer.concat([gzipSync("one"), gzipSync("two").subarray(0, -1)]);
    expect(codeOf(await append(url, bytes(broken), gzip))).toBe("content-encoding-broken");
    const tooMuch = Buffer.concat([gzipSync("one"), gzipSync(Buffer.alloc(60 * MIB))]);
    expect(codeOf(await append(url, bytes(tooMuch), gzip))).toBe("body-too-large");
    expect((await get(url)).text).toBe("");
  });

  it("[AP14] [AP9] a bomb is refused at the limit, which counts decoded bytes", async () => {
    const url = await server.newStream();
    const bomb = bytes(gzipSync(Buffer.alloc(60 * MIB)));
    expect(bomb.length).toBeLessThan(LIMIT);
    expect((await append(url, bomb, { "Content-Encoding": "gzip" })).status).toBe(413);
    expect((await append(url, "still here")).status).toBe(204);
  });
});

describe("a body must arrive in full within BODY_TIMEOUT_SECONDS, however steadily it trickles in", () => {
  /** Sends a byte whenever the last one has gone, until there is an answer. */
  async function trickle(method: string, path: string, headers: Record<string, string>): Promise<number> {
    const answered = Promise.withResolvers<void>();
    const chunks = (async function* () {
      for (let isOpen = true; isOpen;) {
        yield Buffer.from(" ");
        const pause = new Promise<true>((resolve) => setTimeout(resolve, 200, true));
        isOpen = (await Promise.race([answered.promise, pause])) === true;
      }
    })();
    const { status } = await sendRaw({ method, server: server.url, path, headers, chunks });
    answered.resolve();
    return status;
  }

  it("[AP13] an append, a creation, and a call of another route are answered 408", async () => {
    const url = await server.newStream();
    const json = { "Content-Type": "application/json" };
    const statuses = await Promise.all([
      trickle("POST", new URL(url).pathname, TEXT),
      trickle("POST", new URL(url).pathname, { ...TEXT, "Content-Length": "60000" }),
      trickle("PUT", new URL(server.newUrl()).pathname, TEXT),
      trickle("PUT", "/v1/stream/__ds/subscriptions/slow", json),
    ]);
    expect(statuses).toEqual([408, 408, 408, 408]);
    expect((await get(url)).text).toBe("");
  });
});
