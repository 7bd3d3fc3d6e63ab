/** Disks that fill up or fail under the engine node. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { append, create, eventually, LAUNCHER, read } from "../src/launcher.ts";
import { isAllowedToMount, mountSmall, unmount } from "../src/mount.ts";
import { send, TEXT } from "../src/requests.ts";

const FAILING_SYNC = fileURLToPath(new URL("../src/failing-sync.mjs", import.meta.url));
const DISK_MB = 64;
const WRITERS = 8;
const APPEND_BYTES = 20_000;

let root: string;
let dataDir: string;
let server: ServerProcess | undefined;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bad-disk-"));
  dataDir = join(root, "data");
});

afterEach(async () => {
  await server?.kill9();
  unmount(dataDir);
  rmSync(root, { recursive: true, force: true });
});

/** Appends to a stream of its own until the disk is full. @returns what was acknowledged, and the refusal. */
async function fill(url: string): Promise<{ readonly acknowledged: string; readonly refusal: string }> {
  await send("PUT", url, { headers: TEXT });
  let acknowledged = "";
  for (let count = 0; ; count += 1) {
    const body = `${count}`.padEnd(APPEND_BYTES, ".");
    const answer = await send("POST", url, { headers: TEXT, body });
    if (answer.status !== 204) return { acknowledged, refusal: `${answer.status} ${answer.text}` };
    acknowledged += body;
  }
}

describe.skipIf(!isAllowedToMount())("on a small disk", () => {
  it("[DU1] many writers fill it: nothing acknowledged is lost or skipped, reads and deletions work, and it recovers by itself", async () => {
    mountSmall(dataDir, DISK_MB);
    server = await startServer({ dataDir });
    const urls = Array.from({ length: WRITERS }, (_, index) => `${server?.url}/v1/stream/s${index}`);
    const spare = `${server.url}/v1/stream/spare`;
    expect((await send("PUT", spare, { headers: TEXT, body: "x".repeat(8_000_000) })).status).toBe(201);
    const filled = await Promise.all(urls.map(fill));
    for (const { refusal } of filled)
      expect(refusal).toMatch(/^507 .*"code":"storage-full"|^503 .*"code":"unavailable"/);
    expect(filled.some(({ refusal }) => refusal.includes("Delete streams"))).toBe(true);
    const texts = await Promise.all(urls.map(async (url) => (await send("GET", url)).text));
    expect(texts.map((text, index) => text === filled[index]?.acknowledged)).toEqual(urls.map(() => true));
    expect((await send("DELETE", spare)).status).toBe(204);
    const [first = ""] = urls;
    await eventually(async () => (await send("POST", first, { headers: TEXT, body: "later" })).status === 204, 30_000);
    expect((await send("GET", first)).text).toBe(`${filled[0]?.acknowledged}later`);
    await server.kill9();
    server = await startServer({ dataDir });
    const [, ...others] = texts;
    const kept = await Promise.all(
      urls.slice(1).map(async (url) => (await send("GET", server?.url + new URL(url).pathname)).text),
    );
    expect(kept.map((text, index) => text === others[index])).toEqual(others.map(() => true));
  }, 120_000);
});

it("[DU1] a sync that fails ends the process with what to do, and the next start has everything that was acknowledged", async () => {
  const flag = join(root, "syncs-fail");
  process.env["SYNCS_FAIL"] = flag;
  server = await startServer({ dataDir, program: ["--import", FAILING_SYNC, LAUNCHER] });
  delete process.env["SYNCS_FAIL"];
  await create(server.url);
  for (let n = 0; n < 10; n += 1) await append(server.url, n);
  writeFileSync(flag, "");
  const lost = await fetch(`${server.url}/v1/stream/kept`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: '"lost"',
  }).then(
    ({ status }) => status,
    () => "cut off",
  );
  expect([503, "cut off"]).toContain(lost);
  expect(await server.stop()).toBe(1);
  expect(server.log()).toMatch(/✗ The disk failed: .*\n {2}Fix: check the disk, then start the server again\n/);
  server = await startServer({ dataDir });
  const kept = (await read(server.url)) as unknown[];
  expect(kept.slice(0, 10)).toEqual(Array.from({ length: 10 }, (_, n) => n));
  await append(server.url, "later");
  expect(await read(server.url)).toEqual([...kept, "later"]);
});
