import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { connect as connectHttp2, type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import { request as requestHttps } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";

import { afterAll, afterEach, beforeAll, expect, it, onTestFinished, vi } from "vitest";

import { createServer, type RunningServer } from "../../create-server.ts";
import { makeCertificate } from "../../testing/certificate.ts";
import type { TlsOptions } from "./certificate-files.ts";

const root = mkdtempSync(join(tmpdir(), "node-tls-"));
afterAll(() => rmSync(root, { recursive: true }));
afterEach(() => void vi.restoreAllMocks());

const SETTINGS = { AUTH_MODE: "none", TENANCY: "single" };
let [one, other]: TlsOptions[] = [];
beforeAll(() => {
  one = makeCertificate(root, "one");
  other = makeCertificate(root, "other");
});

async function start(tls: TlsOptions | undefined = one, level = "off"): Promise<RunningServer> {
  const server = await createServer({
    storage: { mode: "memory" },
    port: 0,
    settings: { ...SETTINGS, LOG_LEVEL: level },
    tls,
  });
  onTestFinished(() => server.close(0));
  return server;
}

function session(url: string): ClientHttp2Session {
  const client = connectHttp2(url, { rejectUnauthorized: false });
  client.on("error", () => undefined);
  onTestFinished(() => client.destroy());
  return client;
}

interface Received {
  readonly status: unknown;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

async function receive(stream: ClientHttp2Stream): Promise<Received> {
  const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return { status: headers[":status"], headers, text };
}

function ask(client: ClientHttp2Session, method: string, path: string, body?: string): Promise<Received> {
  const stream = client.request(
    { ":method": method, ":path": path, "content-type": "text/plain" },
    { endStream: body === undefined },
  );
  if (body !== undefined) stream.end(body);
  return receive(stream);
}

/** The name of the certificate that the server shows. */
async function shownBy({ url }: RunningServer): Promise<unknown> {
  const socket = connectTls({ host: "127.0.0.1", port: Number(new URL(url).port), rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return subject.CN;
}

it("serves HTTP/2, with URLs of its host, bodies of unknown length, HEAD and answers without a body", async () => {
  const { url } = await start();
  expect(url).toMatch(/^https:/);
  const client = session(url);
  const created = await ask(client, "PUT", "/v1/stream/a", "one");
  expect([created.status, created.headers["location"]]).toEqual([201, `${url}/v1/stream/a`]);
  expect(await ask(client, "POST", "/v1/stream/a", "two")).toMatchObject({ status: 204, text: "" });
  const read = await ask(client, "GET", "/v1/stream/a");
  expect(read).toMatchObject({ status: 200, text: "onetwo" });
  expect(read.headers["connection"]).toBeUndefined();
  expect(await ask(client, "HEAD", "/v1/stream/a")).toMatchObject({ status: 200, text: "" });
  const stream = client.request({ ":path": "/v1/stream/a", "if-none-match": String(read.headers["etag"]) });
  expect(await receive(stream)).toMatchObject({ status: 304, text: "" });
  expect(await ask(client, "GET", "/v1/stream/missing")).toMatchObject({ status: 404 });
});

it("serves HTTP/1.1 on the same port", async () => {
  const { url } = await start();
  const request = requestHttps(`${url}/healthz`, { rejectUnauthorized: false, agent: false });
  const [response] = (await once(request.end(), "response")) as [
    { statusCode: number; httpVersion: string; resume(): void },
  ];
  response.resume();
  expect([response.statusCode, response.httpVersion]).toEqual([200, "1.1"]);
});

it("says to plain HTTP where to go", async () => {
  const { url } = await start();
  const plain = url.replace("https:", "http:");
  const response = await fetch(`${plain}/v1/stream/a?offset=-1`, { redirect: "manual" });
  expect([response.status, response.headers.get("Location")]).toEqual([308, `${url}/v1/stream/a?offset=-1`]);
  expect(await response.text()).toContain(`Use ${url}/v1/stream/a`);
});

it("300 live reads share one connection, and a reset ends one of them alone", async () => {
  const server = await start();
  const client = session(server.url);
  await ask(client, "PUT", "/v1/stream/a", "x");
  const streams = Array.from({ length: 300 }, () => client.request({ ":path": "/v1/stream/a?offset=now&live=sse" }));
  await Promise.all(streams.map((stream) => once(stream, "response")));
  expect(server.metrics()).toContain("durable_streams_live_reads 300\n");
  const texts = streams.map(() => "");
  for (const [index, stream] of streams.entries()) stream.on("data", (chunk) => (texts[index] += String(chunk)));
  streams[0]?.close();
  await expect.poll(() => server.metrics()).toContain("durable_streams_live_reads 299\n");
  await ask(client, "POST", "/v1/stream/a", "to all");
  await expect.poll(() => texts.filter((text) => text.includes("data:to all")).length).toBe(299);
});

it("a reader that takes nothing holds back its own answer, and no other", async () => {
  const { url } = await start();
  const client = session(url);
  const bytes = "x".repeat(1_000_000);
  await ask(client, "PUT", "/v1/stream/large", bytes);
  for (let count = 0; count < 7; count += 1) await ask(client, "POST", "/v1/stream/large", bytes);
  const slow = client.request({ ":path": "/v1/stream/large" });
  await once(slow, "response");
  // It has a window of 64 KiB; what is behind that stays at the server until it is asked for.
  expect(await ask(client, "GET", "/healthz")).toMatchObject({ status: 200 });
  expect(slow.readableLength).toBeLessThan(200_000);
  let size = 0;
  for await (const chunk of slow) size += (chunk as Buffer).length;
  expect(size).toBeGreaterThan(0);
});

it("close ends live reads between two events, and tells the client to open no more streams", async () => {
  const server = await start();
  const client = session(server.url);
  await ask(client, "PUT", "/v1/stream/a", "x");
  const stream = client.request({ ":path": "/v1/stream/a?offset=-1&live=sse" });
  const reading = receive(stream);
  await once(stream, "response");
  const goaway = once(client, "goaway");
  await server.close();
  expect((await reading).text).toMatch(/data:x\n[^]*\n\n$/);
  expect((await goaway)[0]).toBe(0);
});

it("takes a new certificate when the files have changed; a pair that does not fit leaves the old one in use", async () => {
  const files = { certPath: join(root, "cert.pem"), keyPath: join(root, "key.pem") };
  const put = ({ certPath, keyPath }: TlsOptions): void => {
    copyFileSync(certPath, files.certPath);
    copyFileSync(keyPath, files.keyPath);
  };
  put(one as TlsOptions);
  const logged = vi.spyOn(console, "error").mockReturnValue();
  const server = await start(files, "error");
  expect(await shownBy(server)).toBe("one");
  copyFileSync((other as TlsOptions).certPath, files.certPath);
  await expect.poll(() => logged.mock.calls.length, { timeout: 20_000 }).toBeGreaterThan(0);
  expect(String(logged.mock.calls[0]?.[0])).toContain("The new certificate is not used");
  expect(await shownBy(server)).toBe("one");
  copyFileSync((other as TlsOptions).keyPath, files.keyPath);
  await expect.poll(() => shownBy(server), { timeout: 20_000 }).toBe("other");
});

it("does not start without a certificate that it can use, and says which file is wrong", async () => {
  const { certPath } = one as TlsOptions;
  const missing = join(root, "missing.pem");
  await expect(start({ certPath, keyPath: missing })).rejects.toThrow(`The key ${missing} cannot be read.`);
  await expect(start({ certPath, keyPath: (other as TlsOptions).keyPath })).rejects.toThrow("do not belong together");
  const half = join(root, "half.pem");
  copyFileSync(certPath, half);
  truncateSync(half, Math.floor(readFileSync(certPath).length / 2));
  await expect(start({ certPath: half, keyPath: (one as TlsOptions).keyPath })).rejects.toThrow("one is incomplete");
});

it("refuses TLS below 1.2", async () => {
  const { url } = await start();
  const socket = connectTls({
    host: "127.0.0.1",
    port: Number(new URL(url).port),
    rejectUnauthorized: false,
    maxVersion: "TLSv1.1",
    minVersion: "TLSv1.1",
    ciphers: "DEFAULT@SECLEVEL=0",
  });
  await expect(once(socket, "secureConnect")).rejects.toThrow(/protocol version|alert|hang up|disconnected/);
});
