/** Sockets of modules' objects in one Node.js process: what of them is not the same on every host. */

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer as createHttpServer, get, type IncomingMessage, type RequestListener } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { schema } from "@durable-streams-cloudflare/core/kit/sql/schema";
import { defineModule } from "@durable-streams-cloudflare/http/modules/module";
import type { Module } from "@durable-streams-cloudflare/http/modules/module-types";
import { defineObject } from "@durable-streams-cloudflare/http/modules/object-class";
import type { Socket, SocketEvents } from "@durable-streams-cloudflare/http/modules/socket";
import type { ClientSocket } from "@durable-streams-cloudflare/http/test/modules/module-suite";
import { tally } from "@durable-streams-cloudflare/http/test/modules/tally";
import { refuse } from "@durable-streams-cloudflare/protocol";
import { expect, it, onTestFinished, vi } from "vitest";
import { WebSocket } from "ws";

import { createHandler } from "../../create-handler.ts";
import { createServer, type RunningServer, type ServerOptions } from "../../create-server.ts";
import { makeCertificate } from "../../testing/certificate.ts";
import { openSocket } from "../../testing/client-socket.ts";
import { HeldServer } from "../../testing/held-server.ts";

const OPEN = { AUTH_MODE: "none", TENANCY: "single", LOG_LEVEL: "off" };
const TALLY = { "Sec-WebSocket-Protocol": "tally.v1" };

/** A module whose one object does with its sockets what a test says. */
function moduleOf(events: SocketEvents, max = 100): Module {
  const objects = defineObject({
    schema: schema({ kind: "module_own" }),
    sockets: { max, messageBytesMax: 1_024 },
    create: () => ({ api: {}, sockets: events }),
  });
  return defineModule({
    name: "own",
    objects: { OWN: objects },
    routes: [
      {
        method: "GET",
        path: "/own",
        of: "nothing",
        needs: "nothing",
        touches: ["OWN"],
        handle: ({ connect: open }) => open("OWN", "only"),
      },
    ],
  });
}

async function serve(modules: readonly Module[], options: Partial<ServerOptions> = {}): Promise<RunningServer> {
  const server = await createServer({ storage: { mode: "memory" }, settings: OPEN, port: 0, modules, ...options });
  onTestFinished(() => server.close(0));
  return server;
}

async function open(url: string, headers: Readonly<Record<string, string>> = {}): Promise<ClientSocket> {
  const { status, code, socket } = await openSocket(url, headers);
  if (socket === undefined) throw new Error(`The socket was answered ${status} ${code}.`);
  return socket;
}

it("nothing is sent to a socket before what its object wrote is durable", async () => {
  await using held = await HeldServer.start({ modules: [tally] });
  const socket = await open(`${held.server.url}/v1/tally/watch/a`, TALLY);
  expect(await socket.next()).toBe("0");
  held.hold();
  socket.send("add");
  await held.isHeld();
  // This needs no object, so it comes first.
  socket.send("ping");
  expect(await socket.next()).toBe("pong");
  held.release();
  expect(await socket.next()).toBe("1");
});

it("where a write is lost, all sockets of the object end, and the next ones find what is stored", async () => {
  await using held = await HeldServer.start({ modules: [tally] });
  const watch = (): Promise<ClientSocket> => open(`${held.server.url}/v1/tally/watch/a`, TALLY);
  const [one, two] = [await watch(), await watch()];
  one.send("add");
  for (const socket of [one, two]) expect([await socket.next(), await socket.next()]).toEqual(["0", "1"]);
  held.refuseCommits(1);
  one.send("add");
  expect([1011, 1012]).toContain((await one.closed).code);
  expect((await two.closed).code).toBe(1012);
  const after = await watch();
  expect(await after.next()).toBe("1");
});

it("a client that does not read is cut off, and others are not", async () => {
  const sockets = new Set<Socket>();
  const ended = Promise.withResolvers<number>();
  const chunk = "x".repeat(256 * 1024);
  const server = await serve([
    moduleOf({
      opened: (socket) => void sockets.add(socket),
      message: () => {
        for (const socket of sockets) socket.send(chunk);
      },
      closed: (socket, code) => {
        sockets.delete(socket);
        ended.resolve(code);
      },
    }),
  ]);
  const slow = new WebSocket(`${server.url.replace("http", "ws")}/own`);
  slow.on("error", () => undefined);
  await once(slow, "open");
  slow.pause();
  const other = await open(`${server.url}/own`);
  let isCut = false;
  void ended.promise.then(() => (isCut = true));
  // As much as the system takes, and 4 MiB more.
  while (!isCut) {
    other.send("more");
    expect(await other.next()).toBe(chunk);
  }
  expect([await ended.promise, sockets.size]).toEqual([1013, 1]);
  expect(server.metrics()).toContain("durable_streams_sockets_open 1\n");
});

it("takes a limited number of messages at a time, and all of them in their order", async () => {
  const gate = Promise.withResolvers<void>();
  const taken: string[] = [];
  const server = await serve([
    moduleOf({
      message: async (socket, message) => {
        taken.push(message as string);
        await gate.promise;
        if (message === "199") socket.close(4_000, "all");
      },
    }),
  ]);
  const socket = await open(`${server.url}/own`);
  const sent = Array.from({ length: 200 }, (_, index) => String(index));
  for (const message of sent) socket.send(message);
  await vi.waitFor(() => expect(taken).toHaveLength(64));
  gate.resolve();
  expect((await socket.closed).reason).toBe("all");
  expect(taken).toEqual(sent);
});

it("a fault of the object ends the socket with 1011", async () => {
  const server = await serve([moduleOf({ message: () => Promise.reject(new Error("broken")) })]);
  const socket = await open(`${server.url}/own`);
  socket.send("x");
  expect(await socket.closed).toEqual({ code: 1011, reason: "The server failed." });
});

it("the object may refuse a socket", async () => {
  const server = await serve([moduleOf({ admit: () => refuse("forbidden", "Not now."), message: () => undefined })]);
  expect(await openSocket(`${server.url}/own`)).toEqual({ status: 403, code: "forbidden" });
});

it("when the server closes, sockets end with 1001, and their objects are told", async () => {
  const told: number[] = [];
  const server = await serve([moduleOf({ message: () => undefined, closed: (_, code) => void told.push(code) })]);
  const socket = await open(`${server.url}/own`);
  const silent = new WebSocket(`${server.url.replace("http", "ws")}/own`);
  await once(silent, "open");
  // It never sees that the server says good-bye.
  silent.pause();
  await server.close(50);
  expect(await socket.closed).toEqual({ code: 1001, reason: "The server is closing." });
  expect(told).toEqual([1001, 1001]);
});

/** A server of an application. */
async function applicationOf(listener: RequestListener) {
  const server = createHttpServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return { server, url: `http://localhost:${(server.address() as AddressInfo).port}` };
}

it("an application passes upgrades on to its handler, below any path", async () => {
  const handler = createHandler({ storage: { mode: "memory" }, settings: OPEN, modules: [tally], basePath: "/api" });
  onTestFinished(() => handler.close(0));
  const { server, url } = await applicationOf(handler.node);
  const path = `${url}/api/v1/tally/watch/a`;
  expect(await openSocket(path, TALLY)).toEqual({ status: 501, code: "upgrade-unavailable" });
  server.on("upgrade", handler.upgrade);
  const socket = await open(path, TALLY);
  expect(await socket.next()).toBe("0");
  expect(await openSocket(`${url}/api/v1/stream/a`)).toMatchObject({ status: 404, code: "stream-not-found" });
  const closing = handler.close(1_000);
  expect(await socket.closed).toMatchObject({ code: 1001 });
  await closing;
  expect(await openSocket(path, TALLY)).toEqual({ status: 503, code: "unavailable" });
});

it("works over TLS, beside HTTP/2", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sockets-tls-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const server = await serve([tally], { tls: makeCertificate(folder, "localhost") });
  const path = `${server.url}/v1/tally/watch/a`;
  const { socket } = await openSocket(path, TALLY, { rejectUnauthorized: false });
  expect(await socket?.next()).toBe("0");
  socket?.close();
});

it("refuses a malformed handshake, and answers a request for another protocol as it is", async () => {
  const server = await serve([tally]);
  const ask = async (path: string, headers: Readonly<Record<string, string>>): Promise<unknown> => {
    const [response] = (await once(get(`${server.url}${path}`, { headers }), "response")) as [IncomingMessage];
    return [response.statusCode, (JSON.parse(await text(response)) as { code?: string }).code];
  };
  const upgrade = { Connection: "Upgrade", Upgrade: "websocket", ...TALLY };
  expect(await ask("/v1/tally/watch/a", upgrade)).toEqual([426, "upgrade-required"]);
  const key = { "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version": "7" };
  expect(await ask("/v1/tally/watch/a", { ...upgrade, ...key })).toEqual([426, "upgrade-required"]);
  expect(await ask("/v1/tally", { Connection: "Upgrade", Upgrade: "h2c" })).toEqual([200, undefined]);
});

it("without tokens, pages of other sites open no sockets", async () => {
  const server = await serve([tally]);
  const path = `${server.url}/v1/tally/watch/a`;
  const foreign = await openSocket(path, { ...TALLY, Origin: "https://evil.example" });
  expect(foreign).toEqual({ status: 403, code: "origin-refused" });
  const own = await openSocket(path, { ...TALLY, Origin: "http://localhost:3000" });
  expect(own.status).toBe(101);
  own.socket?.close();
});

it("refuses sockets on connections beyond the limit", async () => {
  const server = await serve([tally], { connectionsMax: { served: 1, refused: 1 } });
  const first = connect(Number(new URL(server.url).port), "127.0.0.1");
  await once(first, "connect");
  onTestFinished(() => void first.destroy());
  expect(await openSocket(`${server.url}/v1/tally/watch/a`, TALLY)).toEqual({ status: 503, code: "unavailable" });
});
