/** Streams whose files on the disk are damaged can be deleted, and their names used again. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterEach, beforeEach, expect, it } from "vitest";

import { append, create, get, header, send, TEXT } from "../src/requests.ts";

let dataDir: string;
let server: ServerProcess | undefined;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "damaged-"));
});

afterEach(async () => {
  await server?.kill9();
  rmSync(dataDir, { recursive: true, force: true });
});

async function start(): Promise<string> {
  server = await startServer({ dataDir, vars: { LOG_LEVEL: "error" } });
  return `${server.url}/v1/stream`;
}

/** The files of the streams that there are. */
function files(): string[] {
  const directory = join(dataDir, "do/durable-streams-StreamDO");
  return readdirSync(directory)
    .filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name))
    .map((name) => join(directory, name));
}

const PAGE = 4096;
const noise = (size: number): Buffer => Buffer.alloc(size, 0xa5);

it.each<[string, (bytes: Buffer) => Buffer]>([
  ["whose file has no header of a database", (bytes) => Buffer.concat([noise(200), bytes.subarray(200)])],
  ["whose file ends after two pages", (bytes) => bytes.subarray(0, 2 * PAGE)],
  [
    "whose tables are damaged",
    (bytes) => Buffer.concat([bytes.subarray(0, PAGE), noise(3 * PAGE), bytes.subarray(4 * PAGE)]),
  ],
])("[DU3] a stream %s cannot be read, and is deleted", async (_what, damage) => {
  const root = await start();
  await create(`${root}/s`);
  for (let count = 0; count < 5; count += 1) await append(`${root}/s`, "x".repeat(50_000));
  expect(await server?.stop()).toBe(0);
  const [file = "", ...others] = files();
  expect(others).toEqual([]);
  writeFileSync(file, damage(readFileSync(file)));
  const again = await start();
  const url = `${again}/s`;
  expect((await get(url)).status).toBe(500);
  const deleted = await send("DELETE", url);
  expect([deleted.status, header(deleted, "Stream-Warning")]).toEqual([
    204,
    expect.stringMatching(/^stored-data-damaged;/),
  ]);
  expect((await get(url)).status).toBe(404);
  expect((await send("DELETE", url)).status).toBe(404);
  await create(url, { headers: TEXT, body: "new" });
  await append(url, "er");
  expect((await get(url)).text).toBe("newer");
  // The new stream is as durable as any other.
  await server?.kill9();
  expect((await get(`${await start()}/s`)).text).toBe("newer");
});
