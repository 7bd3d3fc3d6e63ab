import { once } from "node:events";
import { connect } from "node:net";

import { expect, it, onTestFinished } from "vitest";

import { createServer } from "../create-server.ts";

/** Far longer than a test may take. */
const NEVER_MS = 2 ** 31 - 1;
const SETTINGS = { AUTH_MODE: "none", TENANCY: "single", LOG_LEVEL: "off" };
const CONNECT = "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n";

async function startedServer() {
  const server = await createServer({ storage: { mode: "memory" }, port: 0, settings: SETTINGS });
  onTestFinished(() => server.close(0));
  const port = Number(new URL(server.url).port);
  /** Sends a request as text, and returns all that comes back until the server ends the connection. */
  const send = async (text: string): Promise<string> => {
    const socket = connect(port, "127.0.0.1");
    let received = "";
    socket.on("data", (chunk: Buffer) => (received += chunk.toString()));
    socket.write(text);
    await once(socket, "close");
    return received;
  };
  return { server, port, send };
}

it("connections that never send anything hinder neither requests nor the end of the server", async () => {
  const { server, port } = await startedServer();
  const silent = Array.from({ length: 500 }, () => connect(port, "127.0.0.1"));
  await Promise.all(silent.map((socket) => once(socket, "connect")));
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  const ended = Promise.all(silent.map((socket) => once(socket.resume(), "close")));
  await server.close(NEVER_MS);
  await ended;
});

it("a client that asks for a tunnel is answered and disconnected, also while it keeps its own end open", async () => {
  const { server, send } = await startedServer();
  expect(await send(CONNECT)).toMatch(/^HTTP\/1\.1 501 /);
  await server.close(NEVER_MS);
});

it("a client that asks for a tunnel and resets the connection does not end the process", async () => {
  const { server, port } = await startedServer();
  for (let count = 0; count < 20; count += 1) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    await once(socket, "connect");
    await new Promise((resolve) => void socket.write(CONNECT, resolve));
    socket.resetAndDestroy();
  }
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  await server.close(NEVER_MS);
});

const REQUEST = (target: string, host: string): string =>
  `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;

it.each([
  "localhost/v1/stream/x?",
  "localhost#",
  "someone@localhost",
  "two words",
  "[::",
  "localhost:99999",
  "%41",
  "",
])("a request for the malformed host %j is refused, whatever path it would make", async (host) => {
  const { send } = await startedServer();
  const answer = await send(REQUEST("/healthz", host));
  expect(answer).toMatch(/^HTTP\/1\.1 421 [^]*"code":"host-refused"/);
});

it.each(["localhost", "LOCALHOST:80", "127.0.0.1:8080", "[::1]", "[::1]:4437"])(
  "a request for the host %j is answered",
  async (host) => {
    const { send } = await startedServer();
    expect(await send(REQUEST("/", host))).toMatch(/^HTTP\/1\.1 200 /);
  },
);

it("the host in an absolute target counts, and not the header Host beside it", async () => {
  const { send } = await startedServer();
  expect(await send(REQUEST("http://evil.example/v1/stream/x", "localhost"))).toMatch(/^HTTP\/1\.1 421 /);
  expect(await send(REQUEST("http://localhost/", "evil.example"))).toMatch(/^HTTP\/1\.1 200 /);
});
