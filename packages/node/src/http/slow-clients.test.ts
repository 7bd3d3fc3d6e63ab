/** Clients that are slow, or that send what they may not: each ends its own connection, and holds no memory. */

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect as connectHttp2, type ClientHttp2Session } from "node:http2";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { createServer, type RunningServer } from "../create-server.ts";
import { makeCertificate } from "../testing/certificate.ts";
import { sessionMemoryMax } from "./limits.ts";
import type { TlsOptions } from "./tls/certificate-files.ts";

const root = mkdtempSync(join(tmpdir(), "node-slow-"));
afterAll(() => rmSync(root, { recursive: true }));
let certificate: TlsOptions;
beforeAll(() => {
  certificate = makeCertificate(root, "one");
});

async function start(scheme: string, settings: Readonly<Record<string, string>> = {}): Promise<RunningServer> {
  const server = await createServer({
    storage: { mode: "memory" },
    port: 0,
    settings: { AUTH_MODE: "none", TENANCY: "single", LOG_LEVEL: "off", ...settings },
    tls: scheme === "https" ? certificate : undefined,
    headersMsMax: 200,
  });
  onTestFinished(() => server.close(0));
  return server;
}

async function open({ url }: RunningServer): Promise<Socket> {
  const port = Number(new URL(url).port);
  const isSecure = url.startsWith("https:");
  const socket = isSecure
    ? connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] })
    : connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  await once(socket, isSecure ? "secureConnect" : "connect");
  return socket.on("error", () => undefined);
}

function session({ url }: RunningServer): ClientHttp2Session {
  const client = connectHttp2(url, { rejectUnauthorized: false }).on("error", () => undefined);
  onTestFinished(() => client.destroy());
  return client;
}

/** Everything that comes until the server ends the connection. */
async function received(socket: Socket, request: string): Promise<string> {
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  socket.write(request);
  await new Promise((resolve) => socket.once("close", resolve));
  return text;
}

const LAST = "Host: localhost\r\nConnection: close\r\n\r\n";

describe.each(["http", "https"])("by %s", (scheme) => {
  it("a client that sends the head of its request bit by bit is disconnected with 408", async () => {
    const socket = await open(await start(scheme));
    const drip = setInterval(() => socket.write("X-A: a\r\n"), 20);
    expect(await received(socket, "GET /healthz HTTP/1.1\r\n")).toMatch(/^HTTP\/1\.1 408 /);
    clearInterval(drip);
  });

  it("a body that comes bit by bit is given up after BODY_TIMEOUT_SECONDS, and stores nothing", async () => {
    const server = await start(scheme, { BODY_TIMEOUT_SECONDS: "1" });
    const socket = await open(server);
    const drip = setInterval(() => socket.write("1\r\nx\r\n"), 50);
    const head = `PUT /v1/stream/slow HTTP/1.1\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n${LAST}`;
    expect(await received(socket, head)).toMatch(/^HTTP\/1\.1 408 /);
    clearInterval(drip);
    expect(await received(await open(server), `GET /v1/stream/slow HTTP/1.1\r\n${LAST}`)).toMatch(/^HTTP\/1\.1 404 /);
  });

  it("headers over 16 KiB get 431", async () => {
    const head = `GET /healthz HTTP/1.1\r\nX-Long: ${"x".repeat(17_000)}\r\n${LAST}`;
    expect(await received(await open(await start(scheme)), head)).toMatch(/^HTTP\/1\.1 431 /);
  });

  it("a request to upgrade is answered as if it were none", async () => {
    const head = `GET /healthz HTTP/1.1\r\nUpgrade: websocket\r\nHost: localhost\r\nConnection: upgrade\r\n\r\n`;
    const socket = await open(await start(scheme));
    socket.write(head);
    const [chunk] = (await once(socket, "data")) as [Buffer];
    expect(chunk.toString()).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("reads that are sent without waiting are answered in their order", async () => {
    const heads = ["/healthz", "/v1/stream/none", "/healthz"].map(
      (path) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    );
    const text = await received(
      await open(await start(scheme)),
      `${heads.join("")}GET /v1/stream/s HTTP/1.1\r\n${LAST}`,
    );
    expect(text.match(/HTTP\/1\.1 \d{3}/g)?.map((line) => line.slice(-3))).toEqual(["200", "404", "200", "404"]);
  });
});

it("a client of HTTP/2 that does not read gets a page or two, whatever the size of the stream", async () => {
  const server = await start("https");
  const client = session(server);
  const path = "/v1/stream/large";
  const created = client.request(
    { ":method": "PUT", ":path": path, "content-type": "text/plain" },
    { endStream: true },
  );
  await once(created.resume(), "response");
  const part = "x".repeat(4_000_000);
  for (let count = 0; count < 8; count += 1) {
    const append = client.request({ ":method": "POST", ":path": path, "content-type": "text/plain" });
    append.end(part);
    expect((await once(append.resume(), "response"))[0]).toMatchObject({ ":status": 204 });
  }
  const held = (): number => process.memoryUsage().arrayBuffers;
  const before = held();
  const slow = Array.from({ length: 10 }, () =>
    session(server)
      .request({ ":path": `${path}?offset=-1` })
      .pause(),
  );
  await Promise.all(slow.map((stream) => once(stream, "response")));
  // Whoever reads gets everything meanwhile.
  let bytes = 0;
  const read = session(server).request({ ":path": `${path}?offset=-1` });
  for await (const chunk of read) bytes += (chunk as Buffer).length;
  expect(bytes).toBeGreaterThan(0);
  // Both ends of each connection; all of it would be 320 MB.
  expect(held() - before).toBeLessThan(10 * 10_000_000);
  for (const stream of slow) stream.close();
});

it("a session of HTTP/2 may hold a hundred live reads that have stalled, and is still answered", async () => {
  const server = await start("https");
  const [page, writer] = [session(server), session(server)];
  const path = "/v1/stream/stalled";
  const text = { "content-type": "text/plain" };
  const created = writer.request({ ":method": "PUT", ":path": path, ...text }, { endStream: true });
  await once(created.resume(), "response");
  for (let count = 0; count < 100; count += 1) {
    await once(page.request({ ":path": `${path}?offset=-1&live=sse` }).pause(), "response");
  }
  // Beyond what the client takes without reading: the rest waits here, and is above the default of Node.js.
  const append = writer.request({ ":method": "POST", ":path": path, ...text });
  append.end("x".repeat(250_000));
  expect((await once(append.resume(), "response"))[0]).toMatchObject({ ":status": 204 });
  // What was sent to the page has been sent before the answer to this, which comes by the same way.
  for (let count = 0; count < 3; count += 1) {
    const probe = page.request({ ":path": "/healthz" });
    expect((await once(probe.resume(), "response"))[0]).toMatchObject({ ":status": 200 });
  }
});

it("what may wait for a session of HTTP/2 is enough for its streams, and bounded by the memory", () => {
  const gib = 1024 ** 3;
  expect([gib / 8, gib / 2, gib, 64 * gib, Infinity].map(sessionMemoryMax)).toEqual([64, 64, 128, 250, 250]);
});

/** Sends most of a body, and gives what comes as an answer. */
async function halfSent(server: RunningServer, body: string) {
  const socket = await open(server);
  const answer = once(socket, "data").then(([chunk]) => (chunk as Buffer).toString());
  const head = "POST /v1/stream/s HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n";
  socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body.slice(0, -1)}`);
  return { answer, finish: () => void socket.write(body.slice(-1)) };
}

it("many large bodies at once: some get 503, what is held is within BODIES_BYTES_MAX, and the next are stored", async () => {
  const bytesMax = 1_048_576;
  const server = await start("http", { BODIES_BYTES_MAX: String(bytesMax) });
  const url = `${server.url}/v1/stream/s`;
  const headers = { "Content-Type": "text/plain" };
  await fetch(url, { method: "PUT", headers });
  const body = "x".repeat(400_000);
  const sent = await Promise.all(Array.from({ length: 20 }, () => halfSent(server, body)));
  expect(await Promise.race(sent.map(({ answer }) => answer))).toMatch(/^HTTP\/1\.1 503 [^]*retry-after: 1\r/i);
  for (const { finish } of sent) finish();
  const answers = await Promise.all(sent.map(({ answer }) => answer));
  const stored = answers.filter((answer) => answer.startsWith("HTTP/1.1 204 ")).length;
  expect([stored > 0, stored * body.length <= 2 * bytesMax]).toEqual([true, true]);
  expect((await (await fetch(url)).text()).length).toBe(stored * body.length);
  for (let count = 0; count < 3; count += 1)
    expect((await fetch(url, { method: "POST", headers, body })).status).toBe(204);
});
