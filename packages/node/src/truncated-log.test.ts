/** A write-ahead log that somebody has truncated: what is left are whole appends in their order, and the server works. */

import { cpSync, mkdtempSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, expect, it } from "vitest";

import { createServer, type RunningServer } from "./create-server.ts";

const root = mkdtempSync(join(tmpdir(), "truncated-log-"));
afterAll(() => rmSync(root, { recursive: true }));

const SETTINGS = { AUTH_MODE: "none", TENANCY: "single", LOG_LEVEL: "off" };
const JSON_TYPE = { "Content-Type": "application/json" };
const APPENDS = 40;
/** Nothing in here may end a process. */
const fatal: unknown[] = [];

function start(dataDir: string): Promise<RunningServer> {
  return createServer({
    storage: { mode: "file-durable", dataDir },
    port: 0,
    settings: SETTINGS,
    onFatal: (error) => void fatal.push(error),
  });
}

it("[DU1] is read as far as its commits are whole, wherever it was truncated", async () => {
  const dataDir = join(root, "whole");
  const first = await start(dataDir);
  const url = `${first.url}/v1/stream/s`;
  await fetch(url, { method: "PUT", headers: JSON_TYPE });
  for (let n = 0; n < APPENDS; n += 1) {
    await fetch(url, {
      method: "POST",
      headers: JSON_TYPE,
      body: JSON.stringify([
        { n, half: 0, pad: "x".repeat(6_000) },
        { n, half: 1 },
      ]),
    });
  }
  // As a server that is killed would leave it.
  const killed = join(root, "killed");
  cpSync(dataDir, killed, { recursive: true });
  await first.close();
  const { size } = statSync(join(killed, "streams.sqlite-wal"));
  const counts: number[] = [];
  for (const part of [0.35, 0.5, 0.737, 0.99]) {
    const copy = join(root, `part-${part}`);
    cpSync(killed, copy, { recursive: true });
    truncateSync(join(copy, "streams.sqlite-wal"), Math.floor(size * part));
    const server = await start(copy);
    const there = `${server.url}/v1/stream/s`;
    const response = await fetch(`${there}?offset=-1`);
    expect(response.status).toBe(200);
    const messages = ((await response.json()) as { n: number; half: number }[]).map(({ n, half }) => n * 2 + half);
    expect(messages).toEqual(messages.map((_, index) => index));
    expect(messages.length % 2).toBe(0);
    counts.push(messages.length);
    expect((await fetch(there, { method: "POST", headers: JSON_TYPE, body: "[0]" })).status).toBe(204);
    await server.close();
  }
  expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  expect(counts.at(-1)).toBeGreaterThan(APPENDS);
  expect(fatal).toEqual([]);
});
