/** Readers that wait, and get nothing for a long time. `npm run test:idle-readers` has ten thousand for ten minutes. */
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

import { expect, it } from "vitest";

import { slices } from "../src/payloads.ts";
import { processorSeconds, residentMb } from "../src/process-use.ts";
import { append, create } from "../src/requests.ts";
import { useServer } from "../src/test-server.ts";

const READERS = Number(process.env["IDLE_READERS"] ?? 300);
const SECONDS = Number(process.env["IDLE_SECONDS"] ?? 2);
const READER_KIB_MAX = 30;
/** What a server takes with its first requests, whoever makes them. */
const FIRST_MB_MAX = 40;
const GROWTH_MB_MAX = 30;
/** Of one processor. A loop that waits for nothing takes all of it. */
const PROCESSOR_PART_MAX = 0.25;
const OPENING_AT_ONCE = 100;
const SAMPLES = 10;
/** A local address has not enough ports for all. */
const READERS_OF_ADDRESS = 5_000;
const HEARTBEAT_SECONDS = SECONDS < 15 ? 1 : 15;

class Reader {
  received = "";
  heartbeats = 0;
  isClosed = false;
  #awaited: { readonly text: string; readonly resolve: () => void } | undefined;
  readonly #socket: Socket;

  constructor(url: URL, localAddress: string) {
    this.#socket = connect({ host: url.hostname, port: Number(url.port), localAddress });
    this.#socket.setEncoding("latin1");
    this.#socket.on("data", (text: string) => this.#take(text));
    this.#socket.on("error", () => (this.isClosed = true));
    this.#socket.on("close", () => (this.isClosed = true));
    this.#socket.write(`GET ${url.pathname}?offset=now&live=sse HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`);
  }

  /** Resolves when the text has come. */
  has(text: string): Promise<void> {
    if (this.received.includes(text)) return Promise.resolve();
    return new Promise((resolve) => (this.#awaited = { text, resolve }));
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(text: string): void {
    // A comment is a chunk of its own.
    if (/\r\n:/.test(text)) this.heartbeats += 1;
    else this.received += text;
    if (this.#awaited !== undefined && this.received.includes(this.#awaited.text)) this.#awaited.resolve();
  }
}

const server = useServer({ SSE_SESSION_SECONDS: 3_600, SSE_HEARTBEAT_SECONDS: HEARTBEAT_SECONDS });

it(
  `${READERS} SSE readers stay for ${SECONDS} s without a message, cost little memory and no busy loop, and then get one`,
  async () => {
    const url = new URL(server.newUrl());
    await create(url.href);
    const pid = server.servingPid();
    const before = residentMb(pid);
    const readers: Reader[] = [];
    for (const some of slices(
      Array.from({ length: READERS }, (_, index) => index),
      OPENING_AT_ONCE,
    )) {
      const opened = some.map((index) => new Reader(url, `127.0.0.${2 + Math.floor(index / READERS_OF_ADDRESS)}`));
      await Promise.all(opened.map((reader) => reader.has("event: control")));
      readers.push(...opened);
    }
    const [opened, startedAt] = [residentMb(pid), processorSeconds(pid)];
    const curve: number[] = [];
    for (let sample = 0; sample < SAMPLES; sample += 1) {
      await delay((SECONDS * 1_000) / SAMPLES);
      curve.push(Math.round(residentMb(pid)));
    }
    const busy = processorSeconds(pid) - startedAt;
    const closed = readers.filter(({ isClosed }) => isClosed).length;
    const heartbeats = readers.map((reader) => reader.heartbeats);
    await append(url.href, "the first message");
    await Promise.all(readers.map((reader) => reader.has("data:the first message")));
    for (const reader of readers) reader.close();

    const kib = ((opened - before) * 1_000_000) / 1024 / READERS;
    // oxlint-disable-next-line no-console -- figures to look at
    console.log({ readers: READERS, closed, kibEach: kib, curveMb: curve, processorSeconds: busy, seconds: SECONDS });
    expect(closed).toBe(0);
    expect(Math.min(...heartbeats)).toBeGreaterThanOrEqual(Math.floor(SECONDS / HEARTBEAT_SECONDS / 2));
    expect(opened - before).toBeLessThan(FIRST_MB_MAX + (READERS * READER_KIB_MAX * 1024) / 1_000_000);
    expect((curve.at(-1) ?? 0) - opened).toBeLessThan(GROWTH_MB_MAX);
    expect(busy).toBeLessThan(SECONDS * PROCESSOR_PART_MAX);
  },
  120_000 + 1_000 * SECONDS,
);
