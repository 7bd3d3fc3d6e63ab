import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { startNodeServer } from "./node-engine.ts";
import type { LocalServer, ServerOptions } from "./options.ts";

let root: string;
let dataDir: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "node-engine-"));
  dataDir = join(root, "data");
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(root, { recursive: true });
});

function start(options: Partial<ServerOptions>): Promise<LocalServer> {
  return startNodeServer({ dataDir, port: 0, metricsPort: 0, settings: { LOG_LEVEL: "off" }, ...options });
}

async function put(server: LocalServer, body: string): Promise<number> {
  const headers = { "Content-Type": "text/plain" };
  return (await fetch(`${server.url}/v1/stream/s`, { method: "PUT", headers, body })).status;
}

it("in memory, nothing is on disk, and the limit of memory holds", async () => {
  const server = await start({ storage: { mode: "memory", maxMemoryBytes: 2 ** 20 } });
  expect([await put(server, "x".repeat(2 ** 20)), await put(server, "small")]).toEqual([507, 201]);
  expect(await (await fetch(`${server.metricsUrl}`)).text()).toContain("durable_streams_up 1");
  expect([server.dataDir, existsSync(dataDir)]).toEqual([undefined, false]);
  await server.stop(0);
});

it("the mode acid keeps its streams, and another count of shards is refused with what to do", async () => {
  const first = await start({ storage: { mode: "acid", acidShardCount: 2 } });
  expect(await put(first, "kept")).toBe(201);
  await first.stop(0);
  expect(readdirSync(dataDir)).toEqual(expect.arrayContaining(["streams.sqlite", "streams-1.sqlite"]));
  for (const storage of [{ mode: "acid", acidShardCount: 3 }, { mode: "file-durable" }] as const) {
    const refused = { name: "Failure", fix: expect.stringContaining("acid") };
    await expect(start({ storage })).rejects.toMatchObject(refused);
  }
  const second = await start({ storage: { mode: "acid" } });
  expect(await (await fetch(`${second.url}/v1/stream/s`)).text()).toBe("kept");
  await second.stop(0);
});
