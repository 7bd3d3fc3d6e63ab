/** The server is stopped and started again, as at an upgrade, while clients are busy: they go on where they were. */
import { DurableStream, IdempotentProducer } from "@durable-streams/client";
import { describe, expect, it } from "vitest";

import { CLOSE, create, JSON_TYPE, nextOffset, producer, send, type Answer } from "../src/requests.ts";
import { SseFollower } from "../src/sse-follower.ts";
import { useServer } from "../src/test-server.ts";

const RESTARTS = 2;
const PER_ROUND = 20;

const server = useServer({ LONG_POLL_TIMEOUT_MS: 25_000, SSE_SESSION_SECONDS: 3_600 });

/** Asks until the server is there again. */
async function persist(ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    try {
      const answer = await ask();
      if (answer.status !== 503) return answer;
    } catch {
      // It is between two runs.
    }
  }
}

/** @returns what a reader by long-poll gets, to the close. */
async function pollAll(url: string): Promise<unknown[]> {
  const seen: unknown[] = [];
  for (let offset = "-1"; ;) {
    const answer = await persist(() => send("GET", `${url}?offset=${offset}&live=long-poll`));
    if (answer.status === 200) seen.push(...(JSON.parse(answer.text) as unknown[]));
    offset = nextOffset(answer);
    if (answer.headers.has("Stream-Closed")) return seen;
  }
}

/** @returns what a reader by SSE gets, to the close. Each chunk must hold whole batches only. */
async function followAll(url: string): Promise<unknown[]> {
  const seen: unknown[] = [];
  const follower = new SseFollower(url, "-1");
  for (;;) {
    try {
      for await (const { payload } of follower.batches()) {
        if (payload !== undefined) seen.push(...(JSON.parse(payload) as unknown[]));
      }
      return seen;
    } catch (error) {
      if (!isBetweenInstances(error)) throw error;
    }
  }
}

function isBetweenInstances(error: unknown): boolean {
  return error instanceof Error && "code" in error && ["ECONNREFUSED", "ECONNRESET"].includes(String(error.code));
}

describe("over restarts", () => {
  it("[SS22] live readers miss nothing, get nothing twice, and are never cut off inside a batch", async () => {
    const url = server.newUrl();
    await create(url, { headers: JSON_TYPE });
    const reading = Promise.all([followAll(url), followAll(url), pollAll(url)]);
    let sent = 0;
    const write = async (): Promise<void> => {
      for (const end = sent + PER_ROUND; sent < end; sent += 1) {
        const parts = { headers: { ...JSON_TYPE, ...producer(sent) }, body: String(sent) };
        expect((await persist(() => send("POST", url, parts))).status).toBeLessThan(300);
      }
    };
    await write();
    for (let restart = 0; restart < RESTARTS; restart += 1) await Promise.all([server.restart(), write()]);
    await write();
    await send("POST", url, { headers: CLOSE });
    const all = Array.from({ length: sent }, (_, n) => n);
    expect(await reading).toEqual([all, all, all]);
  });

  it("[IN3] the official producer stores nothing twice and nothing out of order, and says what it gave up", async () => {
    const handle = await DurableStream.create({ url: server.newUrl(), contentType: "application/json" });
    const errors: unknown[] = [];
    const writer = new IdempotentProducer(handle, "writer", {
      autoClaim: true,
      lingerMs: 1,
      onError: (error) => errors.push(error),
    });
    const count = 100;
    const restarting = server.restart();
    for (let n = 0; n < count; n += 1) {
      writer.append(String(n));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writer.flush().catch((error: unknown) => errors.push(error));
    await restarting;
    const stored = await (await handle.stream<number>({ live: false })).json();
    expect(stored).toEqual([...new Set(stored)].toSorted((one, other) => one - other));
    // It gives up at the first refused connection, but never in silence.
    expect(errors.length > 0 || stored.length === count).toBe(true);
  });
});
