/** Readers who wait are woken, whatever happens. A long-poll waits 25 seconds here. */
import { describe, expect, it } from "vitest";

import { EventStream } from "../../src/event-stream.ts";
import { append, CLOSE, get, header, nextOffset, send, TEXT, tailOf } from "../../src/requests.ts";
import { useServer } from "../../src/test-server.ts";

const server = useServer({ LONG_POLL_TIMEOUT_MS: 25_000, SSE_HEARTBEAT_SECONDS: 1 });
const ROUNDS = 20;
/** Far less than a poll would wait by itself: a poll that is not woken fails the test. */
const SOON = { timeout: 15_000 };

describe("nothing is missed between the look at the tail and the wait", SOON, () => {
  it("[LP3] by a long-poll that starts while an append is made", async () => {
    const url = await server.newStream();
    for (let round = 0; round < ROUNDS; round += 1) {
      const tail = await tailOf(url);
      const [polled, appended] = await Promise.all([
        get(`${url}?offset=${tail}&live=long-poll`),
        append(url, String(round)),
      ]);
      expect([polled.status, polled.text]).toEqual([200, String(round)]);
      expect(nextOffset(polled)).toBe(nextOffset(appended));
    }
  });

  it("[OF8] by offset=now over SSE: what comes after the offset that the reader was given is delivered", async () => {
    const url = await server.newStream();
    for (let round = 0; round < ROUNDS; round += 1) {
      const opening = EventStream.open(`${url}?offset=now&live=sse`);
      const first = nextOffset(await append(url, `a${round}`));
      const events = await opening;
      const { streamNextOffset } = await events.control();
      await append(url, `b${round}`);
      const expected = streamNextOffset < first ? [`a${round}`, `b${round}`] : [`b${round}`];
      let received = "";
      while (received !== expected.join("")) {
        received += await events.data();
        expect(expected.join("").startsWith(received)).toBe(true);
        await events.control();
      }
      events.close();
    }
  });

  it("[OF7] by a long-poll at offset=now, which gets the next append", async () => {
    const url = await server.newStream("before");
    let isAnswered = false;
    const polling = get(`${url}?offset=now&live=long-poll`).finally(() => (isAnswered = true));
    // The poll may begin anywhere among these appends, but then it must get one of them.
    for (let n = 0; !isAnswered; n += 1) await append(url, `${n};`);
    const { status, text } = await polling;
    expect(status).toBe(200);
    expect(text).toMatch(/^(\d+;)+$/);
    expect((await get(url)).text).toContain(text);
  });
});

describe("a long-poll ends at once", SOON, () => {
  it("[LP5] at the tail of a closed stream", async () => {
    const url = await server.newStream("abc", { ...TEXT, ...CLOSE });
    const polled = await get(`${url}?offset=${await tailOf(url)}&live=long-poll`);
    expect([polled.status, header(polled, "Stream-Closed"), header(polled, "Stream-Up-To-Date")]).toEqual([
      204,
      "true",
      "true",
    ]);
  });

  it.each([
    ["without data", "", 204],
    ["with data", "last", 200],
  ])("[LP6] when the stream closes %s", async (_how, body, status) => {
    const url = await server.newStream("abc");
    const polling = get(`${url}?offset=${await tailOf(url)}&live=long-poll`);
    await send("POST", url, { headers: { ...TEXT, ...CLOSE }, body });
    const polled = await polling;
    expect([polled.status, polled.text, header(polled, "Stream-Closed")]).toEqual([status, body, "true"]);
    expect(nextOffset(polled)).toBe(await tailOf(url));
  });

  it("[LP7] [DE3] when the stream is deleted", async () => {
    const url = await server.newStream("abc");
    const polling = get(`${url}?offset=now&live=long-poll`);
    await send("DELETE", url);
    expect((await polling).status).toBe(404);
  });

  it("[LP7] when the stream expires", async () => {
    const url = await server.newStream("abc", {
      ...TEXT,
      "Stream-Expires-At": new Date(Date.now() + 1_500).toISOString(),
    });
    expect((await get(`${url}?offset=now&live=long-poll`)).status).toBe(404);
  });

  it("[LP3] for each of many readers who wait", async () => {
    const url = await server.newStream();
    const tail = await tailOf(url);
    const polling = Array.from({ length: 50 }, () => get(`${url}?offset=${tail}&live=long-poll`));
    await append(url, "one");
    for (const { status, text } of await Promise.all(polling)) expect([status, text]).toEqual([200, "one"]);
  });
});

describe("SSE ends", SOON, () => {
  it("[SS16] [DE3] when the stream is deleted, by a problem event, and the next request is 404", async () => {
    const url = await server.newStream("abc");
    const events = await EventStream.open(`${url}?offset=now&live=sse`);
    await events.control();
    await send("DELETE", url);
    expect(await events.rest()).toMatchObject([
      { type: "problem", data: expect.stringContaining("stream-not-found") as string },
    ]);
    expect((await get(`${url}?offset=now&live=sse`)).status).toBe(404);
  });
});

it("[SS17] a silent SSE response sends comments, which are no events", SOON, async () => {
  const url = await server.newStream();
  const response = await fetch(`${url}?offset=now&live=sse`);
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += new TextDecoder().decode(chunk);
    if (text.includes(": hb\n\n: hb\n\n")) break;
  }
  expect(text).toMatch(/^id: \S+\nevent: control\ndata:\{[^\n]*\}\n\n(: hb\n\n)+$/);
});
