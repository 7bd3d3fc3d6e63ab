import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, expect, it } from "vitest";

import { createServer, type RunningServer } from "./create-server.ts";
import { STORAGE_MODES, TRAITS, type StorageMode } from "./storage/modes/options.ts";

const root = mkdtempSync(join(tmpdir(), "node-host-"));
afterAll(() => rmSync(root, { recursive: true }));

const SETTINGS = { AUTH_MODE: "none", TENANCY: "single", LOG_LEVEL: "off" };

function start(mode: StorageMode, dataDir: string): Promise<RunningServer> {
  return createServer({ storage: { mode, dataDir }, host: "127.0.0.1", port: 0, settings: SETTINGS });
}

const TEXT = { "Content-Type": "text/plain" };

describe.each(STORAGE_MODES)("a server with storage mode %s", (mode) => {
  it("stores, reads and follows a stream", async () => {
    const server = await start(mode, join(root, `one-${mode}`));
    const url = `${server.url}/v1/stream/hello`;
    expect((await fetch(url, { method: "PUT", headers: TEXT })).status).toBe(201);
    const waiting = fetch(`${url}?offset=now&live=long-poll`).then((response) => response.text());
    // The reader waits by now, or catches up: it gets the append in either case.
    expect((await fetch(url, { method: "POST", headers: TEXT, body: "hi" })).status).toBe(204);
    expect(await (await fetch(url)).text()).toBe("hi");
    await server.close();
    expect(["hi", ""]).toContain(await waiting);
  });
});

describe.each(STORAGE_MODES.filter((mode) => TRAITS[mode].isOnDisk))("a data directory of storage mode %s", (mode) => {
  it("[SM9] is opened again with everything in it, and by one server at a time", async () => {
    const dataDir = join(root, `two-${mode}`);
    const first = await start(mode, dataDir);
    await fetch(`${first.url}/v1/stream/kept`, { method: "PUT", headers: TEXT, body: "kept" });
    await expect(start(mode, dataDir)).rejects.toThrow("Another server is using the data directory.");
    await first.close();
    const second = await start(mode, dataDir);
    expect(await (await fetch(`${second.url}/v1/stream/kept`)).text()).toBe("kept");
    expect([first.recovery, second.recovery]).toEqual([undefined, undefined]);
    await second.close();
  });

  it("that a server left in disorder is recovered, and the start says how much that was", async () => {
    const dataDir = join(root, `three-${mode}`);
    const first = await start(mode, dataDir);
    await fetch(`${first.url}/v1/stream/kept`, { method: "PUT", headers: TEXT, body: "kept" });
    // As a server that is killed now would leave it, in the middle of an upload.
    const left = `${dataDir}-left`;
    cpSync(dataDir, left, { recursive: true });
    mkdirSync(join(left, "segments/parts"), { recursive: true });
    writeFileSync(join(left, "segments/parts/one"), "x");
    await first.close();
    const second = await start(mode, left);
    expect(second.recovery).toEqual({ pages: expect.any(Number) as number, uploads: 1, streams: 1 });
    expect(second.recovery?.pages).toBeGreaterThan(0);
    expect(await (await fetch(`${second.url}/v1/stream/kept`)).text()).toBe("kept");
    await second.close();
  });
});

it("tells Prometheus what it has answered, committed and synced, and what it has in memory", async () => {
  const server = await start("file-durable", join(root, "metrics"));
  const url = `${server.url}/v1/stream/counted`;
  await fetch(url, { method: "PUT", headers: TEXT });
  await fetch(url, { method: "POST", headers: TEXT, body: "x" });
  await fetch(`${url}-not`);
  const reader = await fetch(`${url}?offset=-1&live=sse`);
  const text = server.metrics();
  for (const line of [
    'durable_streams_requests_total{method="PUT",live="",status="201"} 1',
    'durable_streams_requests_total{method="POST",live="",status="204"} 1',
    'durable_streams_requests_total{method="GET",live="",status="404"} 1',
    'durable_streams_request_duration_seconds_count{method="POST",live=""} 1',
    "durable_streams_live_reads 1",
    "durable_streams_commits_lost_total 0",
    "durable_streams_alarms_due 0",
  ]) {
    expect(text.split("\n")).toContain(line);
  }
  const valueOf = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
  expect(valueOf("durable_streams_commits_total")).toBeGreaterThanOrEqual(2);
  // The newest commit may still be on its way to the disk.
  const unsynced = valueOf("durable_streams_commits_total") - valueOf("durable_streams_sync_duration_seconds_count");
  expect([0, 1]).toContain(unsynced);
  expect(valueOf("durable_streams_wal_pages")).toBeGreaterThan(0);
  expect(valueOf('durable_streams_objects_loaded{kind="stream"}')).toBeGreaterThanOrEqual(1);
  await reader.body?.cancel();
  await server.close();
});
