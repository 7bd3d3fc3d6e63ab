import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { patternBytes } from "@durable-streams-cloudflare/testkit";
import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { watchMemory } from "../src/memory-watch.ts";
import { append, CLOSE, create, send } from "../src/requests.ts";
import { SseFollower } from "../src/sse-follower.ts";

const BINARY = { "Content-Type": "application/octet-stream" } as const;
/**
 * A silent client is only noticed to be gone by what is sent to it: heartbeats. Uploading segments to R2 takes memory
 * of its own, which is not what is measured here: there are none before the stream is closed.
 */
const VARS = { SSE_BUFFER_BYTES_MAX: 65_536, SSE_HEARTBEAT_SECONDS: 1, SEGMENT_BYTES: 268_435_456 } as const;
const APPENDS = 160;
const APPEND_BYTES = 1_000_000;
/** Appends after which the server's memory has the size that this load gives it anyway. */
const APPENDS_FIRST = 40;
/** What a reader that is not reading may cost; far below the bytes that it has not read, as is the noise in it. */
const GROWTH_MB_MAX = 80;
const TTL_SECONDS = 1;
const EXPIRY_LIMIT_MS = 30_000;
const POLL_MS = 50;

let dataDir: string;
let server: ServerProcess;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "slow-reader-"));
  server = await startServer({ dataDir, vars: VARS });
});

afterAll(async () => {
  await server.kill9();
  rmSync(dataDir, { recursive: true, force: true });
});

async function appendPatterns(url: string, from: number, to: number, sent = createHash("sha256")) {
  for (let salt = from; salt < to; salt += 1) {
    const bytes = patternBytes(APPEND_BYTES, salt);
    expect((await append(url, bytes, BINARY)).status).toBe(204);
    sent.update(bytes);
  }
  return sent;
}

it("[SS18] [RE10] a reader that stops reading does not grow the server's memory, and gets every byte when it reads on", async () => {
  const url = `${server.url}/v1/stream/slow`;
  await create(url, { headers: BINARY });
  const reader = await new SseFollower(url, "-1").open();
  const sent = await appendPatterns(url, 0, APPENDS_FIRST);
  const { startMb, peakMb } = await watchMemory(server.servingPid(), async () => {
    await appendPatterns(url, APPENDS_FIRST, APPENDS, sent);
  });
  await send("POST", url, { headers: CLOSE });

  const received = createHash("sha256");
  let receivedBytes = 0;
  for await (const { payload = "" } of reader.batches()) {
    const bytes = Buffer.from(payload, "base64");
    receivedBytes += bytes.length;
    received.update(bytes);
  }
  expect(receivedBytes).toBe(APPENDS * APPEND_BYTES);
  expect(received.digest("hex")).toBe(sent.digest("hex"));
  expect(peakMb - startMb).toBeLessThan(GROWTH_MB_MAX);
});

describe("a stream with a sliding lifetime", () => {
  async function createShortLived(name: string): Promise<string> {
    const url = `${server.url}/v1/stream/${name}`;
    await create(url, { headers: { ...BINARY, "Stream-TTL": String(TTL_SECONDS) } });
    return url;
  }

  /** A HEAD does not renew the lifetime. */
  async function isThere(url: string): Promise<boolean> {
    return (await send("HEAD", url)).status === 200;
  }

  async function expiry(url: string): Promise<void> {
    for (const end = Date.now() + EXPIRY_LIMIT_MS; await isThere(url); await delay(POLL_MS)) {
      if (Date.now() > end) throw new Error(`${url} has not expired`);
    }
  }

  it("[LT6] lives as long as a reader is attached, and ends when the reader went away without a word", async () => {
    const kept = await createShortLived("kept");
    const left = await createShortLived("left");
    const stays = await new SseFollower(kept, "-1").open();
    const leaves = await new SseFollower(left, "-1").open();
    await expiry(await createShortLived("unread"));
    expect([await isThere(kept), await isThere(left)]).toEqual([true, true]);

    leaves.destroy();
    await expiry(left);
    expect(await isThere(kept)).toBe(true);
    await append(kept, "still here", BINARY);
    await send("POST", kept, { headers: CLOSE });
    const payloads: string[] = [];
    for await (const { payload } of stays.batches()) payloads.push(atob(payload ?? ""));
    expect(payloads.join("")).toBe("still here");
  });
});
