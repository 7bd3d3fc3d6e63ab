import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, statfsSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { patternBytes } from "@durable-streams-cloudflare/testkit";
import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterAll, beforeAll, expect, it } from "vitest";

import { watchMemory } from "../src/memory-watch.ts";
import { append, CLOSE, create, send } from "../src/requests.ts";
import { segmentFiles } from "../src/stored.ts";

const BINARY = { "Content-Type": "application/octet-stream" } as const;
const APPEND_BYTES = 8_000_000;
/**
 * `npm run test:cold-gigabyte` asks for a thousand, `npm run cold-10-gigabytes` for ten thousand. These need 30 GB of free
 * space, which CI does not have.
 */
const STREAM_MB = Number(process.env["COLD_STREAM_MB"] ?? 128);
const APPENDS = STREAM_MB / 8;
const STREAM_BYTES = APPENDS * APPEND_BYTES;
const READERS = Number(process.env["COLD_READERS"] ?? 8);
/**
 * Some blocks for each reader, caches and unreachable memory: however large the stream is. On workerd, R2's simulator is in
 * there, too.
 */
const GROWTH_MB_MAX = 150;
const LIMIT_MS = 60_000 + STREAM_MB * 500;

let dataDir: string;
let server: ServerProcess;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "cold-stream-"));
  const { bavail, bsize } = statfsSync(dataDir);
  if (bavail * bsize < 3 * STREAM_BYTES)
    throw new Error(`${tmpdir()} needs ${3 * STREAM_BYTES} free bytes for this test`);
  server = await startServer({ dataDir });
});

afterAll(async () => {
  await server.kill9();
  rmSync(dataDir, { recursive: true, force: true });
});

function coldBytes(): number {
  return segmentFiles(dataDir).reduce((sum, path) => sum + statSync(path).size, 0);
}

/** The digest of the whole stream. One response has at most sixteen segments. */
async function readAll(url: string): Promise<string> {
  const received = createHash("sha256");
  for (let offset = "-1"; ;) {
    const response = await fetch(`${url}?offset=${offset}`, { signal: AbortSignal.timeout(LIMIT_MS) });
    expect(response.status).toBe(200);
    for await (const chunk of response.body ?? []) received.update(chunk);
    if (response.headers.get("Stream-Up-To-Date") === "true") return received.digest("hex");
    offset = response.headers.get("Stream-Next-Offset") ?? "";
  }
}

it(
  `[TI2] [RE10] a stream of ${STREAM_MB} MB goes to cold segments, and ${READERS} readers at once get it from there; the server's memory stays flat`,
  async () => {
    const url = `${server.url}/v1/stream/cold`;
    await create(url, { headers: BINARY });
    const sent = createHash("sha256");
    for (let salt = 0; salt < APPENDS; salt += 1) {
      const bytes = patternBytes(APPEND_BYTES, salt);
      expect((await append(url, bytes, BINARY)).status).toBe(204);
      sent.update(bytes);
    }
    await send("POST", url, { headers: CLOSE });
    while (coldBytes() < STREAM_BYTES) await delay(50);
    const expected = sent.digest("hex");

    // What appending has left behind is not what reading needs.
    const warm = await readAll(url);
    const startedAt = performance.now();
    let digests: string[] = [];
    const memory = await watchMemory(server.servingPid(), async () => {
      digests = await Promise.all(Array.from({ length: READERS }, () => readAll(url)));
    });
    const seconds = (performance.now() - startedAt) / 1000;
    // oxlint-disable-next-line no-console -- a figure to look at
    console.log(`${READERS} readers: ${Math.round((READERS * STREAM_BYTES) / 1e6 / seconds)} MB/s together`, {
      ...memory,
      curveMb: memory.curveMb.join(" "),
    });

    expect([warm, ...digests]).toEqual(Array.from({ length: READERS + 1 }, () => expected));
    expect(memory.peakMb - memory.startMb).toBeLessThan(GROWTH_MB_MAX);
  },
  LIMIT_MS,
);
