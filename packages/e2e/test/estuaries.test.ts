/** Estuaries from outside: exactly once under `kill -9` of the server. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { FanOutLedger } from "@durable-streams-cloudflare/simulator/model/fan-out-ledger";
import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterEach, beforeEach, expect, it } from "vitest";

import { create, get, JSON_TYPE, producer, send, type RequestParts } from "../src/requests.ts";

/** `npm run test:estuaries-50-200` sets these. */
const SOURCES = Array.from({ length: Number(process.env["ESTUARY_SOURCES"] ?? 4) }, (_, index) => `chat/${index}`);
const SESSIONS = Array.from({ length: Number(process.env["ESTUARY_SESSIONS"] ?? 6) }, (_, index) => `user-${index}`);
const KILLS = 3;
const ACKNOWLEDGEMENTS_PER_KILL = 30 * SOURCES.length;
const RETRY_MS = 50;
const STARTS_MAX = 5;
const DELIVERY_MS_MAX = 20_000 + 300 * SESSIONS.length;
/** Of the whole test: every session asks something every now and then, and a server that was killed takes a while. */
const TEST_MS_MAX = 120_000 + 5_000 * SESSIONS.length;

let dataDir: string;
let server: ServerProcess | undefined;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "estuaries-"));
});

afterEach(async () => {
  await server?.kill9();
  rmSync(dataDir, { recursive: true, force: true });
});

/** Clients of one server that is killed and started again, at the same address. */
class Clients {
  readonly ledger = new FanOutLedger();
  acknowledged = 0;
  #isOver = false;
  readonly #root: () => string;
  readonly #faults: string[] = [];

  constructor(root: () => string) {
    this.#root = root;
  }

  async run(): Promise<void> {
    await Promise.all([
      ...SOURCES.map((source) => this.#publish(source, true)),
      ...SOURCES.map((source) => this.#publish(source, false)),
      ...SESSIONS.map((session, index) => this.#joinAndLeave(session, index)),
    ]);
    if (this.#faults.length > 0) throw new Error(this.#faults.join("\n"));
  }

  stop(): void {
    this.#isOver = true;
  }

  /** A producer repeats what was not answered; a plain writer does not know. */
  async #publish(source: string, byProducer: boolean): Promise<void> {
    for (let seq = 0; !this.#isOver; seq += 1) {
      const id = `${source}#${byProducer ? "producer" : "plain"}${seq}`;
      const acknowledged = this.ledger.publishing(source, id);
      const headers = byProducer ? { ...JSON_TYPE, ...producer(seq) } : JSON_TYPE;
      const request = () => this.#ask("POST", `/v1/stream/${source}`, { headers, body: JSON.stringify(id) });
      if (byProducer ? await this.#untilDone(request) : await request()) {
        acknowledged();
        this.acknowledged += 1;
      } else await delay(RETRY_MS);
    }
  }

  async #joinAndLeave(session: string, start: number): Promise<void> {
    const joined = new Set<string>();
    for (let turn = start; !this.#isOver; turn += 1) {
      const source = SOURCES[(turn * 7 + start) % SOURCES.length] ?? "";
      const hasJoined = joined.has(source);
      const done = hasJoined ? this.ledger.leaving(session, source) : this.ledger.joining(session, source);
      if (hasJoined) joined.delete(source);
      else joined.add(source);
      const body = JSON.stringify({ estuaryId: session });
      const method = hasJoined ? "DELETE" : "POST";
      if (await this.#untilDone(() => this.#ask(method, `/v1/estuary/subscribe/${source}`, { body }))) done();
      await delay(RETRY_MS * (1 + (turn % 5)));
    }
  }

  async #untilDone(request: () => Promise<boolean>): Promise<boolean> {
    while (!(await request())) {
      if (this.#isOver) return false;
      await delay(RETRY_MS);
    }
    return true;
  }

  /** @returns whether it was done; a server that is being killed answers nothing, or 5xx. */
  async #ask(method: string, path: string, parts: RequestParts): Promise<boolean> {
    const answer = await send(method, this.#root() + path, parts).catch(() => undefined);
    if (answer !== undefined && answer.status >= 400 && answer.status < 500) {
      this.#faults.push(`${method} ${path}: ${answer.status} ${answer.text}`);
      this.#isOver = true;
    }
    return answer !== undefined && answer.status < 300;
  }
}

async function messagesOf(url: string): Promise<string[]> {
  const answer = await get(`${url}?offset=-1`);
  return answer.status === 404 ? [] : (JSON.parse(answer.text) as string[]);
}

async function faultsOf(root: string, ledger: FanOutLedger): Promise<string[]> {
  const orders = new Map<string, string[]>();
  for (const source of SOURCES) orders.set(source, await messagesOf(`${root}/v1/stream/${source}`));
  const faults: string[] = [];
  for (const session of SESSIONS) {
    const held = await messagesOf(`${root}/v1/stream/${session}`);
    for (const [source, order] of orders) {
      const own = held.filter((id) => id.startsWith(`${source}#`));
      faults.push(...ledger.faultsOf(session, source, order, own));
    }
  }
  return faults;
}

/** Hundreds of alarms are overdue then: on a busy machine the launcher may lose patience, and is started again. */
async function restart(port: number): Promise<ServerProcess> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await startServer({ dataDir, port });
    } catch (error) {
      if (tries === STARTS_MAX) throw error;
    }
  }
}

it(
  "[IN14] kill -9 loses, repeats and reorders nothing in any session",
  async () => {
    server = await startServer({ dataDir });
    const { url } = server;
    const port = Number(new URL(url).port);
    for (const source of SOURCES) await create(`${url}/v1/stream/${source}`, { headers: JSON_TYPE });
    const clients = new Clients(() => url);
    const running = clients.run();
    for (let life = 1; life <= KILLS; life += 1) {
      while (clients.acknowledged < life * ACKNOWLEDGEMENTS_PER_KILL) await delay(RETRY_MS);
      await server.kill9();
      server = await restart(port);
    }
    while (clients.acknowledged < (KILLS + 1) * ACKNOWLEDGEMENTS_PER_KILL) await delay(RETRY_MS);
    clients.stop();
    await running;
    const deadlineMs = Date.now() + DELIVERY_MS_MAX;
    let faults = await faultsOf(url, clients.ledger);
    while (faults.length > 0 && Date.now() < deadlineMs) {
      await delay(250);
      faults = await faultsOf(url, clients.ledger);
    }
    expect(faults).toEqual([]);
    const held = await Promise.all(SESSIONS.map((session) => messagesOf(`${url}/v1/stream/${session}`)));
    expect(held.every((messages) => messages.length > 0)).toBe(true);
  },
  TEST_MS_MAX,
);
