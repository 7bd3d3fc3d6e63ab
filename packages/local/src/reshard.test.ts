import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createServer } from "@durable-streams-cloudflare/node";
import { afterEach, beforeEach, expect, it } from "vitest";

import { reshardDataDir } from "./reshard.ts";

let root: string;
let from: string;
let to: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "reshard-data-dir-"));
  [from, to] = [join(root, "from"), join(root, "to")];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function makeData(): Promise<void> {
  const settings = { AUTH_MODE: "none", TENANCY: "single", LOG_LEVEL: "off" };
  const storage = { mode: "acid", dataDir: from, acidShardCount: 2 } as const;
  const server = await createServer({ storage, port: 0, settings });
  await fetch(`${server.url}/v1/stream/a`, { method: "PUT", headers: { "Content-Type": "text/plain" }, body: "kept" });
  await server.close();
}

it("a new directory gets its name when it is complete, and one that is interrupted leaves nothing", async () => {
  await makeData();
  const aborted = AbortSignal.abort(new Error("interrupted"));
  await expect(reshardDataDir({ from, to, shards: 3, signal: aborted })).rejects.toThrow("interrupted");
  expect(readdirSync(root)).toEqual(["from"]);
  expect(await reshardDataDir({ from, to, shards: 3 })).toMatchObject({ before: 2 });
  expect(readdirSync(root).toSorted()).toEqual(["from", "to"]);
  expect(["streams.sqlite", "streams-1.sqlite", "streams-2.sqlite"].every((name) => existsSync(join(to, name)))).toBe(
    true,
  );
});

it("what cannot be copied is refused with what to do, and nothing has the new name", async () => {
  await expect(reshardDataDir({ from, to, shards: 3 })).rejects.toMatchObject({
    name: "Failure",
    message: expect.stringContaining('no data of the engine "node"'),
    fix: expect.stringContaining("--data-dir DIR"),
  });
  await makeData();
  await expect(reshardDataDir({ from, to, shards: 65 })).rejects.toMatchObject({
    name: "Failure",
    message: expect.stringContaining("from 1 to 64"),
  });
  expect(existsSync(to)).toBe(false);
  mkdirSync(to);
  writeFileSync(join(to, "x"), "");
  await expect(reshardDataDir({ from, to, shards: 3 })).rejects.toThrow("is not empty");
});
