/** What makes real clients loop, stop or misread (docs/protocol-notes.md), on the wire and with the clients themselves. */
import { DurableStream } from "@durable-streams/client";
import { describe, expect, it } from "vitest";

import { countingFetch } from "../../src/counting-fetch.ts";
import { EventStream } from "../../src/event-stream.ts";
import { append, CLOSE, create, get, header, JSON_TYPE, nextOffset, producer, send } from "../../src/requests.ts";
import { useServer } from "../../src/test-server.ts";

const LONG_POLL_TIMEOUT_MS = 1_000;
const server = useServer({ LONG_POLL_TIMEOUT_MS, SSE_SESSION_SECONDS: 2 });
const locked = useServer({ AUTH_MODE: "project" });

it("[RE6] a read that is not live streams everything to the tail, because clients stop after the first response", async () => {
  const url = await server.newStream();
  const chunk = "x".repeat(1_000_000);
  for (let n = 0; n < 12; n += 1) await append(url, chunk);
  const counting = countingFetch();
  const response = await new DurableStream({ url, contentType: "text/plain", fetch: counting.fetch }).stream({
    offset: "-1",
    live: false,
  });
  expect([(await response.text()).length, counting.requests()]).toEqual([12 * chunk.length, 1]);
});

it("[RE3] every read says where it ended, and whether that is the tail", async () => {
  const url = await server.newStream("abc");
  const tail = nextOffset(await send("HEAD", url));
  for (const query of ["", "?offset=-1", "?offset=now", `?offset=${tail}`, "?offset=-1&live=long-poll"]) {
    const answer = await get(url + query);
    expect([nextOffset(answer), header(answer, "Stream-Up-To-Date")]).toEqual([tail, "true"]);
    const exposed = header(answer, "Access-Control-Expose-Headers");
    expect(exposed).toContain("Stream-Next-Offset");
    expect(exposed).toContain("Stream-Up-To-Date");
  }
});

describe("every 409 to a producer carries both numbers, so that its client gives up", () => {
  it.each<[string, Record<string, string>, string]>([
    ["of a closed stream", {}, "closed"],
    ["of another content type", JSON_TYPE, "open"],
    ["of Stream-Seq", { "Stream-Seq": "a" }, "open"],
  ])("[PR15] the 409 %s", async (_what, headers, state) => {
    const url = await server.newStream();
    await append(url, "x", { ...producer(0), "Stream-Seq": "b", ...(state === "closed" ? CLOSE : {}) });
    const refused = await append(url, "1", { ...headers, ...producer(1) });
    expect(refused.status).toBe(409);
    expect([header(refused, "Producer-Expected-Seq"), header(refused, "Producer-Received-Seq")]).toEqual(["1", "1"]);
  });
});

it("[PR16] a producer that may not write gets 401, never 403 without an epoch", async () => {
  const url = locked.newUrl();
  const refused = await append(url, "x", producer(0));
  expect([refused.status, header(refused, "WWW-Authenticate")]).toEqual([401, "Bearer"]);
  for (const method of ["GET", "HEAD", "PUT", "DELETE"]) expect((await send(method, url)).status).toBe(401);
  expect((await send("OPTIONS", url)).status).toBe(204);
});

it("[CA8] nobody gets a 304 without asking for it", async () => {
  const url = await server.newStream("abc");
  await get(url);
  expect((await get(url)).status).toBe(200);
});

it("[RE9] a client ends a read at 404 and 410, after one request", async () => {
  const url = await server.newStream("abc");
  const old = nextOffset(await send("HEAD", url));
  await send("DELETE", url);
  for (const recreate of [false, true]) {
    if (recreate) await create(url);
    const counting = countingFetch();
    const reading = new DurableStream({ url, fetch: counting.fetch }).stream({ offset: old, live: "long-poll" });
    await expect(reading).rejects.toMatchObject({ status: recreate ? 410 : 404 });
    expect(counting.requests()).toBe(1);
  }
});

it("[AP1] [PR7] an accepted producer append is exactly 200, any other append exactly 204", async () => {
  const url = await server.newStream();
  const statuses = [await append(url, "x", producer(0)), await append(url, "x", producer(0)), await append(url, "y")];
  expect(statuses.map(({ status }) => status)).toEqual([200, 204, 204]);
});

it("[SS15] an SSE response lasts at least a second, even when its stream is deleted at once", async () => {
  const url = await server.newStream("abc");
  const startedAt = Date.now();
  const events = await EventStream.open(`${url}?offset=-1&live=sse`);
  await send("DELETE", url);
  await events.rest();
  // Timers of two processes may differ by a little.
  expect(Date.now() - startedAt).toBeGreaterThanOrEqual(950);
});

describe("a long-poll", () => {
  it("[LP8] without data is held for its time, whatever cursor it has", async () => {
    const url = await server.newStream("abc");
    for (const cursor of ["", "&cursor=1", "&cursor=99999999999"]) {
      const startedAt = Date.now();
      const answer = await get(`${url}?offset=now&live=long-poll${cursor}`);
      expect(answer.status).toBe(204);
      expect(Date.now() - startedAt).toBeGreaterThanOrEqual(LONG_POLL_TIMEOUT_MS - 50);
    }
  });

  it("[CA12] gives readers with one cursor the same next cursor, so that a cache can collapse them", async () => {
    const url = await server.newStream("abc");
    const ahead = "9".repeat(12);
    const answers = await Promise.all([1, 2, 3].map(() => get(`${url}?offset=-1&live=long-poll&cursor=${ahead}`)));
    expect(new Set(answers.map((answer) => header(answer, "Stream-Cursor"))).size).toBe(1);
  });
});

it("[SS11] a browser may read how binary events are encoded", async () => {
  const url = await server.newStream("", { "Content-Type": "application/octet-stream" });
  const events = await EventStream.open(`${url}?offset=now&live=sse`);
  expect(header(events.response, "Stream-SSE-Data-Encoding")).toBe("base64");
  expect(header(events.response, "Access-Control-Expose-Headers")).toContain("Stream-SSE-Data-Encoding");
  events.close();
});

it("[AP5] a body of unknown length that the client streams is appended whole", async () => {
  const url = await server.newStream();
  const stream = new DurableStream({ url, contentType: "text/plain" });
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const text of ["one ", "two ", "three"]) controller.enqueue(new TextEncoder().encode(text));
      controller.close();
    },
  });
  await stream.appendStream(body);
  expect((await get(url)).text).toBe("one two three");
});

it("[CR2] the client's create fails at a conflict, after one request", async () => {
  const counting = countingFetch();
  const creating = DurableStream.create({
    url: await server.newStream(),
    contentType: "application/json",
    fetch: counting.fetch,
  });
  await expect(creating).rejects.toMatchObject({ status: 409 });
  expect(counting.requests()).toBe(1);
});

it("[RE8] foreign parameters on the stream's URL survive in every mode", async () => {
  const url = `${await server.newStream("abc")}?token=t&x=%20`;
  const statuses = [
    await get(url),
    await get(`${url}&offset=-1&live=long-poll`),
    await get(`${url}&offset=now&live=sse`),
    await send("HEAD", url),
    await append(url, "d"),
  ].map(({ status }) => status);
  expect(statuses).toEqual([200, 200, 200, 200, 204]);
  const response = await new DurableStream({ url, contentType: "text/plain" }).stream({ offset: "-1", live: false });
  expect(await response.text()).toBe("abcd");
});

it("[OF5] [LP2] sixteen zeros twice means the beginning, in every mode", async () => {
  const url = await server.newStream("abc");
  const zero = "0000000000000000_0000000000000000";
  expect((await get(`${url}?offset=${zero}`)).text).toBe("abc");
  expect((await get(`${url}?offset=${zero}&live=long-poll`)).text).toBe("abc");
  const events = await EventStream.open(`${url}?offset=${zero}&live=sse`);
  expect(await events.data()).toBe("abc");
  events.close();
});

it("[SC12] clients that go away are no errors, and do no harm", async () => {
  const url = await server.newStream("abc");
  await Promise.all(
    Array.from({ length: 30 }, async (_, n) => {
      const leaving = new AbortController();
      const path = ["?offset=now&live=sse", "?offset=now&live=long-poll", "?offset=-1"][n % 3];
      const request = fetch(url + path, { signal: leaving.signal }).catch(() => undefined);
      if (n % 2 === 0) await request;
      leaving.abort();
      await request;
    }),
  );
  const tail = nextOffset(await append(url, "d"));
  expect((await get(`${url}?offset=-1`)).text).toBe("abcd");
  expect((await get(`${url}?offset=${tail}&live=long-poll`)).status).toBe(204);
  expect(server.log()).toBe("");
});
