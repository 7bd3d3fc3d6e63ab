import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { patternBytes } from "@durable-streams-cloudflare/testkit";
import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterAll, beforeAll, expect, it } from "vitest";

import { watchMemory } from "../src/memory-watch.ts";
import { append, create } from "../src/requests.ts";

const BINARY = { "Content-Type": "application/octet-stream" } as const;
const APPENDS = 63;
const APPEND_BYTES = 8_000_000;
const STREAM_BYTES = APPENDS * APPEND_BYTES;
/** The log, and SQLite's write-ahead log beside it. */
const DISK_BYTES = 3 * STREAM_BYTES;
/** A few appends at a time, a segment on its way to R2, caches and garbage: however large the stream is. */
const GROWTH_MB_MAX = 420;
const LIMIT_MS = 120_000;

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
  "a stream of 500 MB is appended and read back byte for byte, and the server's memory stays flat",
  async () => {
    const url = `${server.url}/v1/stream/large`;
    await create(url, { headers: BINARY });
    const sent = createHash("sha256");
    const received = createHash("sha256");
    let receivedBytes = 0;

    const appending = await watchMemory(server.workerdPid(), async () => {
      for (let salt = 0; salt < APPENDS; salt += 1) {
        const bytes = patternBytes(APPEND_BYTES, salt);
        expect((await append(url, bytes, BINARY)).status).toBe(204);
        sent.update(bytes);
      }
    });
    const reading = await watchMemory(server.workerdPid(), async () => {
      const response = await fetch(`${url}?offset=-1`, { signal: AbortSignal.timeout(LIMIT_MS) });
      for await (const piece of response.body ?? []) {
        receivedBytes += piece.length;
        received.update(piece);
      }
    });

    expect(receivedBytes).toBe(STREAM_BYTES);
    expect(received.digest("hex")).toBe(sent.digest("hex"));
    expect(appending.peakMb - appending.startMb).toBeLessThan(GROWTH_MB_MAX);
    expect(reading.peakMb - appending.startMb).toBeLessThan(GROWTH_MB_MAX);
  },
  LIMIT_MS,
);
