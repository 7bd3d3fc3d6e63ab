/**
 * A real consumer, whose process dies at random, and a server that is killed: every event is handled, each wake acknowledged
 * once.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { reservePort } from "@durable-streams-cloudflare/local/port";
import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { create, get, JSON_TYPE, send } from "../src/requests.ts";

const SERVICE = join(import.meta.dirname, "../src/webhook-service.ts");
const EVENTS = 60;
const DEATHS = 4;
const VARS = { TENANCY: "single", AUTH_MODE: "none", WEBHOOK_LOOPBACK: "allow" };

let directory: string;
let server: ServerProcess;
let service: Service | undefined;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "webhooks-"));
  server = await startServer({ dataDir: join(directory, "data"), vars: VARS });
});

afterEach(async () => {
  service?.stop();
  await server.kill9();
  rmSync(directory, { recursive: true, force: true });
});

/** Starts the service's process, and starts it again whenever it has died. */
class Service {
  readonly #arguments: readonly string[];
  #child: ChildProcess | undefined;
  #isStopped = false;
  deaths = 0;

  constructor(port: number, jwksUrl: string, journal: string) {
    this.#arguments = [String(port), jwksUrl, journal];
  }

  async start(): Promise<void> {
    const survives = this.deaths < DEATHS ? 2 : 0;
    const child = fork(SERVICE, [...this.#arguments, String(survives)], { stdio: "inherit" });
    this.#child = child;
    child.once("exit", () => {
      if (this.#isStopped) return;
      this.deaths += 1;
      void this.start();
    });
    await once(child, "message");
  }

  stop(): void {
    this.#isStopped = true;
    this.#child?.kill("SIGKILL");
  }
}

interface JournalEntry {
  readonly event?: string;
  readonly acked?: string;
  readonly generation?: number;
  readonly rejected?: true;
}

function journalOf(path: string): JournalEntry[] {
  try {
    const lines = readFileSync(path, "utf8").trim().split("\n");
    return lines.map((line) => JSON.parse(line) as JournalEntry);
  } catch {
    return [];
  }
}

it("[IN13] every event is handled at least once, and each wake acknowledged once", { timeout: 120_000 }, async () => {
  const root = `${server.url}/v1/stream`;
  const journal = join(directory, "journal");
  const port = await reservePort("127.0.0.1", 0);
  const started = new Service(port, `${root}/__ds/jwks.json`, journal);
  service = started;
  await started.start();
  await create(`${root}/orders/0`, { headers: JSON_TYPE });
  const body = JSON.stringify({
    type: "webhook",
    pattern: "orders/*",
    webhook: { url: `http://127.0.0.1:${port}/` },
    lease_ttl_ms: 1_000,
  });
  expect((await send("PUT", `${root}/__ds/subscriptions/orders`, { headers: JSON_TYPE, body })).status).toBe(201);

  const appended: string[] = [];
  for (let count = 0; count < EVENTS; count += 1) {
    const url = `${root}/orders/${count % 3}`;
    const event = `event-${count}`;
    const parts = { headers: JSON_TYPE, body: JSON.stringify([event]) };
    const answer = await send("POST", url, parts);
    if (answer.status === 404) await create(url, parts);
    appended.push(event);
    if (count === EVENTS / 2) {
      const { dataDir, url: address } = server;
      await server.kill9();
      server = await startServer({ dataDir, vars: VARS, port: Number(new URL(address).port) });
    }
  }

  const isDone = async (): Promise<void> => {
    const handled = new Set(journalOf(journal).map(({ event }) => event));
    expect(appended.filter((event) => !handled.has(event))).toEqual([]);
    const described = JSON.parse((await get(`${root}/__ds/subscriptions/orders`)).text) as {
      streams: { path: string; acked_offset: string }[];
    };
    for (const { path, acked_offset: acked } of described.streams) {
      expect([path, acked]).toEqual([path, (await get(`${root}/${path}`)).headers.get("Stream-Next-Offset")]);
    }
    expect(described.streams).toHaveLength(3);
  };
  await vi.waitFor(isDone, { timeout: 90_000, interval: 250 });

  const entries = journalOf(journal);
  expect(started.deaths).toBeGreaterThan(0);
  expect(entries.some(({ rejected }) => rejected)).toBe(false);
  const acked = entries.filter((entry) => entry.acked !== undefined);
  expect(new Set(acked.map((entry) => entry.acked)).size).toBe(acked.length);
  const generations = acked.map(({ generation = 0 }) => generation);
  expect(generations).toEqual(generations.toSorted((a, b) => a - b));
});
