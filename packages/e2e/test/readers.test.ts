/** How many may read live from one stream, and how those who went away are noticed. */
import { setTimeout as delay } from "node:timers/promises";

import { stream } from "@durable-streams/client";
import { describe, expect, it } from "vitest";

import { openChunked } from "../src/chunked-response.ts";
import { countingFetch } from "../src/counting-fetch.ts";
import { EventStream } from "../src/event-stream.ts";
import { append, codeOf, create, get, header } from "../src/requests.ts";
import { useServer } from "../src/test-server.ts";

const server = useServer({ READERS_MAX: 2, SSE_HEARTBEAT_SECONDS: 1 });
const POLL_MS = 50;
/** A refused client waits five seconds before each try; one that does not wait makes thousands in that time. */
const TRIES_MAX = 5;

/** A stream with as many readers as it may have; each stands at the tail. */
async function fullStream(): Promise<{ url: string; readers: EventStream[] }> {
  const url = server.newUrl();
  await create(url);
  const readers = await Promise.all([1, 2].map(() => EventStream.open(`${url}?offset=now&live=sse`)));
  for (const reader of readers) await reader.control();
  return { url, readers };
}

describe("a stream that has READERS_MAX live readers", () => {
  it.each(["sse", "long-poll"])("refuses one more by %s, and says when to try again", async (live) => {
    const { url, readers } = await fullStream();
    const refused = await get(`${url}?offset=now&live=${live}`);
    expect([refused.status, codeOf(refused)]).toEqual([503, "readers-full"]);
    expect(header(refused, "Retry-After")).toBe("5");
    for (const reader of readers) reader.close();
  });

  it("still serves those it has, and reads that do not wait", async () => {
    const { url, readers } = await fullStream();
    expect((await append(url, "x")).status).toBe(204);
    for (const reader of readers) expect(await reader.data()).toBe("x");
    expect((await get(`${url}?offset=-1`)).text).toBe("x");
    expect((await get(`${url}?offset=-1&live=long-poll`)).text).toBe("x");
    for (const reader of readers) reader.close();
  });

  it("accepts a reader again when one has left", async () => {
    const { url, readers } = await fullStream();
    readers[0]?.close();
    for (;;) {
      const response = await fetch(`${url}?offset=now&live=sse`);
      await response.body?.cancel();
      if (response.status === 200) break;
      expect(response.status).toBe(503);
      await delay(POLL_MS);
    }
    readers[1]?.close();
  });

  it("keeps an official client waiting, which asks seldom, and gets everything once it is accepted", async () => {
    const { url, readers } = await fullStream();
    const counting = countingFetch();
    const received = Promise.withResolvers<string>();
    const abort = new AbortController();
    const response = await stream({ url, offset: "-1", live: "sse", fetch: counting.fetch, signal: abort.signal });
    response.subscribeText(async ({ text }) => {
      if (text !== "") received.resolve(text);
    });
    while (counting.requests() < 2) await delay(POLL_MS);
    for (const reader of readers) reader.close();
    await append(url, "x");
    expect(await received.promise).toBe("x");
    expect(counting.requests()).toBeLessThanOrEqual(TRIES_MAX);
    abort.abort();
  });
});

it("a heartbeat comes on time to busy readers, too, because it is how the server notices one that went away", async () => {
  const url = server.newUrl();
  await create(url);
  const reader = await openChunked(`${url}?offset=now&live=sse`);
  // Every event is answered by an append, so the response is never silent.
  for await (const chunk of reader.chunks) {
    if (chunk.toString().startsWith(":")) break;
    await append(url, "x");
  }
  reader.destroy();
  expect((await get(url)).text).toMatch(/^x+$/);
});
