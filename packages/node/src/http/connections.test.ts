import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { createServer, type RunningServer } from "../create-server.ts";
import { makeCertificate } from "../testing/certificate.ts";
import { connectionsMax } from "./connections.ts";
import { openFiles, openFilesMax } from "./open-files.ts";
import type { TlsOptions } from "./tls/certificate-files.ts";

const root = mkdtempSync(join(tmpdir(), "node-connections-"));
afterAll(() => rmSync(root, { recursive: true }));
let certificate: TlsOptions;
beforeAll(() => {
  certificate = makeCertificate(root, "one");
});

/** A server that has files for 3 connections, and for 1 that is refused. */
async function start(scheme: string): Promise<RunningServer> {
  const server = await createServer({
    storage: { mode: "memory" },
    port: 0,
    settings: { AUTH_MODE: "none", TENANCY: "single", LOG_LEVEL: "off" },
    tls: scheme === "https" ? certificate : undefined,
    connectionsMax: { served: 3, refused: 1 },
  });
  onTestFinished(() => server.close(0));
  return server;
}

async function open({ url }: RunningServer): Promise<Socket> {
  const port = Number(new URL(url).port);
  const socket = url.startsWith("https:")
    ? connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] })
    : connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  await once(socket, url.startsWith("https:") ? "secureConnect" : "connect");
  return socket.on("error", () => undefined);
}

/** Everything that comes until the server ends the connection. */
async function received(socket: Socket, request: string): Promise<string> {
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  socket.write(request);
  await once(socket, "close");
  return text;
}

const GET = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/** The first line of the answer, on a connection that stays open. */
async function asked(socket: Socket): Promise<string> {
  socket.write(GET);
  const [chunk] = (await once(socket, "data")) as [Buffer];
  return chunk.toString().split("\r\n", 1)[0] ?? "";
}

describe.each(["http", "https"])("a server by %s that has as many connections as it may have", (scheme) => {
  it("answers one more with 503 and ends it, serves those it has, and takes new ones when one has left", async () => {
    const server = await start(scheme);
    const served = [await open(server), await open(server), await open(server)];
    for (const socket of served) expect(await asked(socket)).toBe("HTTP/1.1 200 OK");
    const refused = await received(await open(server), GET);
    expect(refused).toMatch(/^HTTP\/1\.1 503 /);
    expect(refused).toMatch(/^retry-after: 5\r$/im);
    expect(refused).toMatch(/^connection: close\r$/im);
    expect(refused).toContain('"code":"unavailable"');
    for (const socket of served) expect(await asked(socket)).toBe("HTTP/1.1 200 OK");
    served[0]?.destroy();
    await expect
      .poll(async () => received(await open(server), GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")))
      .toMatch(/^HTTP\/1\.1 200 /);
  });

  it("cuts off what is beyond those that it can refuse", async () => {
    const server = await start(scheme);
    const served = [await open(server), await open(server), await open(server)];
    for (const socket of served) expect(await asked(socket)).toBe("HTTP/1.1 200 OK");
    await open(server);
    const beyond = connect(Number(new URL(server.url).port), "127.0.0.1").on("error", () => undefined);
    await once(beyond.resume(), "close");
    for (const socket of served) expect(await asked(socket)).toBe("HTTP/1.1 200 OK");
  });

  it("answers CONNECT with 501, and ends the connection", async () => {
    const server = await start(scheme);
    const text = await received(
      await open(server),
      "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
    );
    expect(text).toMatch(/^HTTP\/1\.1 501 /);
  });
});

it("refuses a session of HTTP/2 beyond the limit with 503, too, and answers CONNECT in one with 501", async () => {
  const server = await start("https");
  const client = connectHttp2(server.url, { rejectUnauthorized: false }).on("error", () => undefined);
  onTestFinished(() => client.destroy());
  const tunnel = client.request({ ":method": "CONNECT", ":authority": "example.com:443" });
  expect((await once(tunnel, "response"))[0]).toMatchObject({ ":status": 501 });
  await open(server);
  await open(server);
  const refused = connectHttp2(server.url, { rejectUnauthorized: false }).on("error", () => undefined);
  const stream = refused.request({ ":path": "/healthz" });
  expect((await once(stream.resume(), "response"))[0]).toMatchObject({ ":status": 503, "retry-after": "5" });
  await once(refused, "close");
});

it.each([
  [undefined, 30, { served: Infinity, refused: Infinity }],
  [1_024, 30, { served: 720, refused: 120 }],
  [1_024, 384, { served: 480, refused: 80 }],
  [128, 30, { served: 48, refused: 8 }],
  [32, 30, { served: 1, refused: 1 }],
])("of %s files, %s of which are open, so many are for connections", (filesMax, openNow, max) => {
  expect(connectionsMax(filesMax, openNow)).toEqual(max);
});

it.skipIf(process.platform === "win32")("the limit of open files is known, and how many are open", () => {
  expect(openFilesMax()).toBeGreaterThan(openFiles() ?? 0);
});
