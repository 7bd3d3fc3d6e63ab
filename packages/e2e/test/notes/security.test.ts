/** Headers of every response, paths, secrets, and the text of JSON, on the wire. */
import { connect } from "node:net";

import { describe, expect, it, vi } from "vitest";

import { sendRaw, type RawRequest } from "../../src/raw-http.ts";
import { append, codeOf, get, header, JSON_TYPE, nextOffset, producer, send, TEXT } from "../../src/requests.ts";
import { useServer } from "../../src/test-server.ts";

const server = useServer({
  CORS_ORIGINS: "*",
  LOG_LEVEL: "info",
  APPEND_BYTES_MAX: 1_024,
  LONG_POLL_TIMEOUT_MS: 100,
  SSE_SESSION_SECONDS: 2,
});

function raw(method: string, path: string, more: Partial<RawRequest> = {}) {
  return sendRaw({ method, server: server.url, path, ...more });
}

it("CONNECT is refused, and leaves nothing in the log", async () => {
  const before = server.log();
  const { hostname, port } = new URL(server.url);
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connect(Number(port), hostname, () =>
      socket.write("CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n"),
    );
    socket.once("data", (data) => {
      resolve(data.toString());
      socket.destroy();
    });
    socket.once("error", reject);
  });
  expect(answer).toMatch(/^HTTP\/1\.1 5\d\d /);
  await get(`${server.url}/healthz?after-connect`);
  // The log is written in order: the line of the request after it is there, and nothing of CONNECT.
  await vi.waitFor(() => expect(server.log().slice(before.length)).toContain("/healthz"), 10_000);
  expect(server.log().slice(before.length)).not.toMatch(/connect/i);
});

describe("every response", () => {
  it.each<[string, number, method: string, suffix: string, headers?: Record<string, string>, body?: string]>([
    ["a create", 201, "PUT", "/new", TEXT],
    ["a confirmation", 200, "PUT", "", TEXT],
    ["an append", 204, "POST", "", TEXT, "x"],
    ["an append of a producer", 200, "POST", "", { ...TEXT, ...producer(0) }, "x"],
    ["a read", 200, "GET", ""],
    ["a 304", 304, "GET", "", { "If-None-Match": "*" }],
    ["a head", 200, "HEAD", ""],
    ["a delete", 204, "DELETE", ""],
    ["a long-poll without data", 204, "GET", "?offset=now&live=long-poll"],
    ["an SSE response", 200, "GET", "?offset=now&live=sse"],
    ["a preflight", 204, "OPTIONS", ""],
    ["a 400", 400, "GET", "?offset=x"],
    ["a 403", 403, "POST", "", { ...TEXT, ...producer(0, 1) }, "x"],
    ["a 404", 404, "GET", "/missing"],
    ["a 404 of a head", 404, "HEAD", "/missing"],
    ["a 405", 405, "PATCH", ""],
    ["a 409", 409, "PUT", "", JSON_TYPE],
    ["a 410", 410, "GET", "?offset=0000000000000001_0000000000000001"],
    ["a 413", 413, "POST", "", TEXT, "x".repeat(2_000)],
    ["a 414", 414, "GET", "/".padEnd(500, "x")],
    ["a 415", 415, "POST", "", { ...TEXT, "Content-Encoding": "br" }, "x"],
    ["a 404 of a fork", 404, "PUT", "/fork", { ...TEXT, "Stream-Forked-From": "/v1/stream/x" }],
    ["a 404 of __ds", 404, "GET", "/../__ds/x"],
    ["the root", 200, "GET", "/../../.."],
    ["/healthz", 200, "GET", "/../../../healthz"],
    ["/readyz", 200, "GET", "/../../../readyz"],
  ])(
    "[SC5] [SC14] has nosniff, a resource policy, CORS headers and a Cache-Control: %s",
    async (_what, status, method, suffix, headers, body) => {
      const url = await server.newStream();
      if (status === 403) await append(url, "x", producer(0, 2));
      const answer = await send(method, url + suffix, {
        headers: headers ?? {},
        ...(body === undefined ? {} : { body }),
      });
      expect(answer.status).toBe(status);
      expect(header(answer, "X-Content-Type-Options")).toBe("nosniff");
      expect(header(answer, "Cross-Origin-Resource-Policy")).toBe("cross-origin");
      expect(header(answer, "Access-Control-Allow-Origin")).toBe("*");
      expect(header(answer, "Access-Control-Expose-Headers")).toContain("Stream-Next-Offset");
      expect(header(answer, "Cache-Control")).not.toBe("");
      // The specification's errors below __ds are plain JSON.
      const isProblem = answer.headers.get("Content-Type") === "application/problem+json";
      expect(isProblem || suffix.includes("__ds")).toBe(status >= 400);
      expect(method === "HEAD" ? answer.text : "").toBe("");
    },
  );

  it("[HE2] to HEAD is never stored", async () => {
    expect(header(await send("HEAD", await server.newStream()), "Cache-Control")).toBe("no-store");
  });
});

describe("a path", () => {
  it.each([
    "/v1/stream/a/../b",
    "/v1/stream/..",
    "/v1/stream/a/%2e%2e/b",
    "/v1/stream/a/.%2E/b",
    "/v1/stream/a%2F..%2Fb",
    "/v1/stream/./a",
    "/v1/stream/a//b",
    "/v1/stream//a",
    "/v1/stream/a/",
    "/v1/stream/",
    "/v1/stream",
    "/v1/stream/a%2F%2Fb",
    "/v1/stream/a%00b",
    "/v1/stream/a%0d%0aX:%20y",
    "/v1/stream/%ff",
    "/v1/stream/%",
    "/v1/stream/%zz",
    "/v1/stream/%c0%ae%c0%ae/x",
  ])("[SC3] %s is refused, not resolved", async (path) => {
    const answer = await raw("PUT", path, { headers: TEXT });
    expect([path, answer.status]).toEqual([path, 400]);
    expect(codeOf(answer)).toBe("path-invalid");
  });

  it("[SC4] is one stream in all its spellings", async () => {
    expect((await raw("PUT", "/v1/stream/caf%C3%A9/x", { headers: TEXT, chunks: ["abc"] })).status).toBe(201);
    for (const spelling of ["cafe%CC%81/x", "caf%c3%a9/x", "%63afe%CC%81%2Fx", "%63%61%66%C3%A9%2fx"]) {
      expect((await raw("GET", `/v1/stream/${spelling}`)).text).toBe("abc");
    }
  });

  it("[SC4] is decoded only once: what was encoded twice is another stream", async () => {
    await raw("PUT", "/v1/stream/twice/a", { headers: TEXT });
    for (const spelling of ["twice%252Fa", "%2574wice/a", "twice/%252e%252e/twice/a"]) {
      expect((await raw("HEAD", `/v1/stream/${spelling}`)).status).toBe(404);
    }
  });

  it("[SC4] has at most 400 bytes", async () => {
    expect((await raw("PUT", `/v1/stream/${"x".repeat(400)}`, { headers: TEXT })).status).toBe(201);
    for (const name of ["x".repeat(401), "%C3%A9".repeat(201), "x".repeat(6_000)]) {
      expect(codeOf(await raw("PUT", `/v1/stream/${name}`, { headers: TEXT }))).toBe("path-too-long");
    }
  });

  it.each(["GET", "PUT", "POST", "DELETE", "HEAD"])("[SU1] __ds is reserved in every spelling: %s", async (method) => {
    for (const path of ["__ds", "__ds/x", "%5F%5Fds/x", "__d%73"]) {
      const answer = await raw(method, `/v1/stream/${path}`, { headers: { ...TEXT, "Content-Length": "0" } });
      expect([path, answer.status]).toEqual([path, 404]);
    }
    expect((await raw(method, "/v1/stream//__ds", { headers: { "Content-Length": "0" } })).status).toBe(400);
  });

  it("[SC3] that only looks like the root leads nowhere", async () => {
    for (const path of ["/v1/streams/x", "/V1/stream/x", "/v2/stream/x", "//v1/stream/x", "/v1/../v1/stream/x"]) {
      expect([path, (await raw("PUT", path, { headers: TEXT })).status]).toEqual([path, 404]);
    }
  });
});

it("[SC7] a token is in no log, however it is sent, and in no Location", async () => {
  const url = server.newUrl();
  const secret = "s3cr3t-t0ken";
  const created = await send("PUT", `${url}?token=${secret}`, {
    headers: { ...TEXT, Authorization: `Bearer ${secret}` },
  });
  expect(header(created, "Location")).toBe(url);
  await get(`${url}?offset=-1&token=${secret}`, { Authorization: `Bearer ${secret}` });
  await get(`${url}?offset=x&token=${secret}`);
  await expect.poll(() => server.log(), { timeout: 5_000 }).toContain(`GET ${new URL(url).pathname} 400`);
  expect(server.log()).not.toContain(secret);
});

describe("JSON keeps its source text", () => {
  it.each([
    ["12345678901234567890", "[12345678901234567890]"],
    ["[1.0, 1e400, -0, 1E5]", "[1.0, 1e400, -0, 1E5]"],
    ['{"a":1,"a":2}', '[{"a":1,"a":2}]'],
    ['"\\u0041\\/\\ud83d\\ude00\\ud800"', '["\\u0041\\/\\ud83d\\ude00\\ud800"]'],
    ['\r\n[ {"a" : 1} ,\t2 ]\n', '[ {"a" : 1} ,\t2 ]'],
    ['["é😀\u2028"]', '["é😀\u2028"]'],
  ])("[JS8] %s", async (body, text) => {
    const url = await server.newStream("", JSON_TYPE);
    expect((await append(url, body, JSON_TYPE)).status).toBe(204);
    expect((await get(url)).text).toBe(text);
  });

  it.each([[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0x22, 0xc3, 0x22], [0xef, 0xbb, 0xbf, 0x31]])(
    "[JS9] bytes that are not UTF-8 without a byte order mark are 400: %j",
    async (...bytes) => {
      const url = await server.newStream("", JSON_TYPE);
      const body = bytes[0] === 0x22 || bytes[0] === 0xef ? bytes : [0x22, ...bytes, 0x22];
      expect(codeOf(await append(url, Uint8Array.from(body), JSON_TYPE))).toBe("json-invalid");
      expect((await get(url)).text).toBe("[]");
    },
  );

  it("[JS10] application/foo+json is bytes", async () => {
    const type = { "Content-Type": "application/foo+json" };
    const url = await server.newStream("", type);
    await append(url, "{not", type);
    await append(url, " json", type);
    expect((await get(url)).text).toBe("{not json");
    expect(nextOffset(await get(url))).toMatch(/0009$/);
  });
});
