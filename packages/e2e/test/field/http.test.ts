/** What other software really sends: old HTTP, upgrades, pipelines. Each test is a situation that failed for somebody. */
import { Agent, request } from "node:http";

import { describe, expect, it } from "vitest";

import { exchange, statusIn } from "../../src/raw-socket.ts";
import { get } from "../../src/requests.ts";
import { useServer } from "../../src/test-server.ts";

const server = useServer();

const startOf = (method: string, path: string, version = "1.1"): string =>
  `${method} ${path} HTTP/${version}\r\nHost: localhost\r\n`;
const pathOf = (url: string): string => new URL(url).pathname;

describe("an upgrade", () => {
  const WEBSOCKET =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  const H2C = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n";

  it.each(["", "?offset=-1"])("to WebSocket at a stream's URL is answered plainly: %j", async (query) => {
    const path = pathOf(await server.newStream("x")) + query;
    const answered = await exchange({
      server: server.url,
      bytes: [startOf("GET", path), WEBSOCKET],
      until: (received) => received.includes("\r\n\r\n"),
    });
    expect([200, 400, 426]).toContain(statusIn(answered));
  });

  it("to HTTP/2, which some clients offer with each request, is declined by answering", async () => {
    const path = pathOf(await server.newStream("x"));
    const read = await exchange({
      server: server.url,
      bytes: [startOf("GET", `${path}?offset=-1`), H2C, "\r\n"],
      until: (received) => received.includes("\r\n\r\n"),
    });
    expect(statusIn(read)).toBe(200);
    const written = await exchange({
      server: server.url,
      bytes: [startOf("POST", path), H2C, "Content-Type: text/plain\r\nContent-Length: 1\r\n\r\ny"],
      until: (received) => received.includes("\r\n\r\n"),
    });
    expect(statusIn(written)).toBe(204);
  });
});

it("Expect: 100-continue is answered before the body, however large", async () => {
  const url = await server.newStream();
  const status = await new Promise((resolve, reject) => {
    const headers = { "Content-Type": "text/plain", "Content-Length": 2 << 20, Expect: "100-continue" };
    const outgoing = request(url, { method: "POST", agent: false, headers }, (incoming) => {
      incoming.resume();
      resolve(incoming.statusCode);
    });
    outgoing.on("continue", () => outgoing.end(Buffer.alloc(2 << 20, "a")));
    outgoing.on("error", reject);
    outgoing.flushHeaders();
  });
  expect(status).toBe(204);
});

describe("HTTP/1.0", () => {
  it("is answered without chunks, and the connection ends", async () => {
    const path = pathOf(await server.newStream("x"));
    const answered = await exchange({
      server: server.url,
      bytes: [startOf("GET", `${path}?offset=-1`, "1.0"), "\r\n"],
    });
    expect(statusIn(answered)).toBe(200);
    expect(answered.toLowerCase()).not.toContain("transfer-encoding: chunked");
    expect(answered.endsWith("\r\n\r\nx")).toBe(true);
  });

  it("may read live", async () => {
    const path = pathOf(await server.newStream("x"));
    const answered = await exchange({
      server: server.url,
      bytes: [startOf("GET", `${path}?offset=now&live=sse`, "1.0"), "\r\n"],
      until: (received) => received.includes("event: control"),
    });
    expect(statusIn(answered)).toBe(200);
  });
});

it("two requests in one packet have two answers", async () => {
  const path = pathOf(await server.newStream("x"));
  const one = `${startOf("GET", `${path}?offset=now`)}\r\n`;
  const count = (received: string): number => received.split("HTTP/1.1 200").length - 1;
  const answered = await exchange({ server: server.url, bytes: one + one, until: (received) => count(received) === 2 });
  expect(count(answered)).toBe(2);
});

it("an absolute request target is the stream that it names", async () => {
  const url = await server.newStream("x");
  const answered = await exchange({
    server: server.url,
    bytes: [startOf("GET", `${url}?offset=-1`), "Connection: close\r\n\r\n"],
  });
  expect(statusIn(answered)).toBe(200);
});

it("a connection serves many requests, also after it was idle", async () => {
  const url = await server.newStream();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<unknown>();
  const append = () =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        url,
        { method: "POST", agent, headers: { "Content-Type": "text/plain" } },
        (incoming) => {
          incoming.resume();
          incoming.on("end", () => resolve(incoming.statusCode));
        },
      );
      outgoing.on("socket", (socket) => sockets.add(socket));
      outgoing.on("error", reject);
      outgoing.end("x");
    });
  for (let n = 0; n < 5; n += 1) expect(await append()).toBe(204);
  agent.destroy();
  expect(sockets.size).toBe(1);
  expect((await get(url)).text).toBe("xxxxx");
});
