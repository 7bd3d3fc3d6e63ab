import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { patternBytes } from "@durable-streams-cloudflare/testkit";
import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterAll, beforeAll, expect, it } from "vitest";

import { watchMemory, type MemoryUse } from "../src/memory-watch.ts";
import { append, create } from "../src/requests.ts";

const BINARY = { "Content-Type": "application/octet-stream" } as const;
const APPENDS = 64;
const APPEND_BYTES = 8_000_000;
const STREAM_BYTES = APPENDS * APPEND_BYTES;
/** The log, and SQLite's write-ahead log beside it. */
const DISK_BYTES = 3 * STREAM_BYTES;
/**
 * What the first half needs (a few appends at a time, a segment on its way to R2, caches, unreachable memory) is enough
 * for twice as much. This is for the garbage collector's moods: two fifths of what is appended in between, and a fifth of
 * what is read.
 */
const GROWTH_MB_MAX = 100;
const LIMIT_MS = 300_000;

let dataDir: string;
let server: ServerProcess;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "large-stream-"));
  const { bavail, bsize } = statfsSync(dataDir);
  if (bavail * bsize < DISK_BYTES) throw new Error(`${tmpdir()} needs ${DISK_BYTES} free bytes for this test`);
  server = await startServer({ dataDir });
});

afterAll(async () => {
  await server.kill9();
  rmSync(dataDir, { recursive: true, force: true });
});

it(
  "[RE1] [RE10] a stream of 500 MB is appended and read back byte for byte, and the server's memory stays flat",
  async () => {
    const url = `${server.url}/v1/stream/large`;
    await create(url, { headers: BINARY });
    const sent = createHash("sha256");

    /** Appends so much, and reads the whole stream back. */
    const half = (first: number): Promise<MemoryUse> =>
      watchMemory(server.servingPid(), async () => {
        for (let salt = first; salt < first + APPENDS / 2; salt += 1) {
          const bytes = patternBytes(APPEND_BYTES, salt);
          expect((await append(url, bytes, BINARY)).status).toBe(204);
          sent.update(bytes);
        }
        expect(await digestOf(url)).toBe(sent.copy().digest("hex"));
      });
    const first = await half(0);
    const second = await half(APPENDS / 2);
    expect(second.peakMb - first.peakMb).toBeLessThan(GROWTH_MB_MAX);
  },
  LIMIT_MS,
);

async function digestOf(url: string): Promise<string> {
  const received = createHash("sha256");
  const response = await fetch(`${url}?offset=-1`, { signal: AbortSignal.timeout(LIMIT_MS) });
  for await (const chunk of response.body ?? []) received.update(chunk);
  return received.digest("hex");
}
