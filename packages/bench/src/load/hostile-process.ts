/** The process of hostile senders, which send until the process is ended. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";

import type { HostileJob } from "./hostile.ts";

const MIB = 1024 * 1024;
const TRICKLE_MS = 100;
const BODY_BYTES = 100 * MIB;
const HEADER_BYTES = 16 * 1024;
/** Pause after the server closed the connection. */
const PAUSE_MS = 10;

type Attack = (socket: Socket, head: string) => Promise<void>;

const ATTACKS: Readonly<Record<HostileJob["kind"], Attack>> = {
  "slow bodies": async (socket, head) => {
    socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`);
    while (!socket.destroyed) {
      socket.write("1\r\nx\r\n");
      await delay(TRICKLE_MS);
    }
  },
  "100 MB bodies": async (socket, head) => {
    await pipeline(largeRequest(head), socket);
  },
  // Not hostile: shows the effect of the same number of ordinary clients.
  "ordinary appends": async (socket, head) => {
    socket.end(`${head}Content-Length: 1\r\nConnection: close\r\n\r\nx`);
  },
  "16 KB of headers": async (socket, head) => {
    socket.end(`${head}X-Padding: ${"p".repeat(HEADER_BYTES)}\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx`);
  },
};

function* largeRequest(head: string): Generator<Buffer> {
  yield Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`);
  const chunk = Buffer.concat([Buffer.from(`${MIB.toString(16)}\r\n`), Buffer.alloc(MIB, "y"), Buffer.from("\r\n")]);
  for (let sent = 0; sent < BODY_BYTES; sent += MIB) yield chunk;
  yield Buffer.from("0\r\n\r\n");
}

process.on("message", (job: HostileJob) => {
  for (let count = 0; count < job.senders; count += 1) void sendForEver(job);
  process.send?.("sending");
});

async function sendForEver({ kind, url, headers }: HostileJob): Promise<never> {
  const { hostname, port, pathname } = new URL(url);
  const lines = Object.entries({ Host: hostname, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `POST ${pathname} HTTP/1.1\r\n${lines.join("")}`;
  for (;;) {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on("error", () => socket.destroy());
    const closed = once(socket.resume(), "close").catch(() => undefined);
    await ATTACKS[kind](socket, head).catch(() => undefined);
    await closed;
    await delay(PAUSE_MS);
  }
}
