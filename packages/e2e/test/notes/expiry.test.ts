/** Lifetimes, on the wire. Streams here live for a few seconds. */
import { setTimeout as delay } from "node:timers/promises";

import { describe, expect, it } from "vitest";

import { EventStream } from "../../src/event-stream.ts";
import { append, CLOSE, codeOf, create, get, header, nextOffset, producer, send, TEXT } from "../../src/requests.ts";
import { useServer } from "../../src/test-server.ts";

// The heartbeat is also how a reader that went away is noticed.
const server = useServer({ LONG_POLL_TIMEOUT_MS: 100, SSE_HEARTBEAT_SECONDS: 1 });
const TTL_SECONDS = 3;
const TOUCH_MS = 200;
const FORK_OF_NOTHING = { "Stream-Forked-From": "/v1/stream/nothing" };

async function newStream(headers: Record<string, string>, body = "abc"): Promise<string> {
  const url = server.newUrl();
  await create(url, { headers: { ...TEXT, ...headers }, body });
  return url;
}

async function statusOf(url: string): Promise<number> {
  return (await send("HEAD", url)).status;
}

/** Waits until a stream is gone; asking with HEAD does not renew it. */
async function untilGone(url: string): Promise<void> {
  while ((await statusOf(url)) !== 404) await delay(50);
}

/** Does something to a stream again and again, for longer than its window. */
async function touchBeyondWindow(touch: () => Promise<unknown>): Promise<void> {
  for (const end = Date.now() + (TTL_SECONDS + 1) * 1_000; Date.now() < end; await delay(TOUCH_MS)) await touch();
}

describe.concurrent("lifetimes", () => {
  it.each<[string, (url: string) => Promise<unknown>]>([
    ["a read", (url) => get(url)],
    ["a read of nothing", (url) => get(`${url}?offset=now`)],
    ["a long-poll", (url) => get(`${url}?offset=now&live=long-poll`)],
    ["an append", (url) => append(url, "x")],
    ["a producer's duplicate", (url) => append(url, "x", producer(0))],
    ["a PUT that confirms", (url) => send("PUT", url, { headers: { ...TEXT, "Stream-TTL": String(TTL_SECONDS) } })],
  ])("[LT4] a sliding lifetime is renewed by %s", async (_what, touch) => {
    const url = await newStream({ "Stream-TTL": String(TTL_SECONDS) });
    await touchBeyondWindow(() => touch(url));
    expect(await statusOf(url)).toBe(200);
  });

  it.each<[string, (url: string) => Promise<unknown>]>([
    ["HEAD", (url) => send("HEAD", url)],
    ["OPTIONS", (url) => send("OPTIONS", url)],
    ["a read that is refused", (url) => get(`${url}?offset=nonsense`)],
    ["a live read that is refused", (url) => get(`${url}?offset=0000000000000001_0000000000000000&live=sse`)],
    ["an append that is refused", (url) => append(url, "{", { "Content-Type": "application/json" })],
    // A fork of nothing, so that it is refused, too, when the stream is gone.
    ["a PUT that is refused", (url) => send("PUT", url, { headers: { ...TEXT, ...FORK_OF_NOTHING } })],
  ])("[LT5] a sliding lifetime is not renewed by %s", async (_what, touch) => {
    const url = await newStream({ "Stream-TTL": String(TTL_SECONDS) });
    const touching = new AbortController();
    const touches = (async () => {
      while (!touching.signal.aborted) {
        await touch(url);
        await delay(TOUCH_MS);
      }
    })();
    await untilGone(url);
    touching.abort();
    await touches;
    expect(codeOf(await get(url))).toBe("stream-not-found");
  });

  it("[LT6] a sliding lifetime does not end while someone reads live, and ends after that", async () => {
    const url = await newStream({ "Stream-TTL": "1" });
    const events = await EventStream.open(`${url}?offset=now&live=sse`);
    await events.control();
    await delay(3_000);
    expect(await statusOf(url)).toBe(200);
    await append(url, "live");
    expect(await events.data()).toBe("live");
    events.close();
    await untilGone(url);
    expect((await get(url)).status).toBe(404);
  });

  it("[LT7] [SS16] an absolute expiry is not renewed by anything, and ends a live reader", async () => {
    const url = await newStream({ "Stream-Expires-At": new Date(Date.now() + 2_000).toISOString() });
    const events = await EventStream.open(`${url}?offset=now&live=sse`);
    await events.control();
    expect(await events.rest()).toMatchObject([
      { type: "problem", data: expect.stringContaining("stream-not-found") as string },
    ]);
    expect((await get(url)).status).toBe(404);
  });
});

it.each([
  [{ "Stream-TTL": "3600" }, "3600", null],
  [{ "Stream-Expires-At": "2031-01-31T13:00:00+01:00" }, null, "2031-01-31T12:00:00.000Z"],
  [{}, null, null],
])(
  "[LT8] [HE1] HEAD returns the window, not what is left of it, or the instant: %j",
  async (headers, ttl, expiresAt) => {
    const url = await newStream(headers);
    await append(url, "x");
    const head = await send("HEAD", url);
    expect([head.headers.get("Stream-TTL"), head.headers.get("Stream-Expires-At")]).toEqual([ttl, expiresAt]);
  },
);

it("[LT9] an expired stream is 404 for everyone, and its URL is free for another one", async () => {
  const url = await newStream({ "Stream-TTL": "1" }, "old");
  const tail = nextOffset(await send("HEAD", url));
  await untilGone(url);
  const answers = [
    await get(url),
    await get(`${url}?offset=${tail}`),
    await get(`${url}?offset=now&live=long-poll`),
    await get(`${url}?offset=-1&live=sse`),
    await append(url, "x"),
    await append(url, "x", producer(0)),
    await send("POST", url, { headers: CLOSE }),
    await send("DELETE", url),
  ];
  for (const answer of answers) expect([answer.status, codeOf(answer)]).toEqual([404, "stream-not-found"]);
  await create(url, { headers: { "Content-Type": "application/json" }, body: '"new"' });
  const fresh = await get(url);
  expect([fresh.text, header(fresh, "Content-Type")]).toEqual(['["new"]', "application/json"]);
  expect(nextOffset(fresh) > tail).toBe(true);
  expect((await get(`${url}?offset=${tail}`)).status).toBe(410);
});
