import { CLOSE_BEHIND, decodeFrame } from "@durable-streams-cloudflare/core/contracts/live-frame";
import { textOf } from "@durable-streams-cloudflare/testkit";
import { abortAllDurableObjects } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";

import { attachRequest } from "../../src/objects/attach-request.ts";
import { append, close, content, evict, inObject, newStream, problemCode, readersOf, type Edge } from "./edge.ts";
import { EventReader } from "./events.ts";

const LONG = { LONG_POLL_TIMEOUT_MS: "20000" };

const open: EventReader[] = [];

async function sse(edge: Edge, offset = "now"): Promise<EventReader> {
  const reader = new EventReader(await edge.fetch(`?live=sse&offset=${offset}`));
  open.push(reader);
  return reader;
}

/** Starts a long-poll; returns when it has reached the object and waits. */
async function waitingPoll(edge: Edge): Promise<{ response: Promise<Response> }> {
  const response = edge.fetch("?live=long-poll&offset=now");
  while ((await readersOf(edge)) === 0) await scheduler.wait(5);
  return { response };
}

afterEach(async () => {
  for (const reader of open.splice(0)) await reader.cancel();
});

const DISRUPTIONS: Record<string, (edge: Edge) => Promise<void>> = {
  "evicted, its sockets hibernating": (edge) => evict(edge, "hibernate"),
  "evicted, its sockets closed": (edge) => evict(edge, "close"),
  "aborted with all others": () => abortAllDurableObjects(),
};

describe.each(Object.entries(DISRUPTIONS))("while readers wait, the object is %s", (_, disrupt) => {
  it("[SS22] and SSE readers miss nothing and get nothing twice", async () => {
    const edge = await newStream({ body: "start" });
    const readers = [await sse(edge), await sse(edge, "-1")];
    expect(await readers[0]?.take(1)).toEqual(["control@5 up-to-date"]);
    expect(await readers[1]?.take(2)).toEqual(["data:start", "control@5 up-to-date"]);
    for (let round = 0; round < 3; round += 1) {
      await disrupt(edge);
      expect((await append(edge, `<${round}>`)).status).toBe(204);
      for (const reader of readers) {
        expect(await reader.take(2)).toEqual([`data:<${round}>`, `control@${8 + round * 3} up-to-date`]);
      }
    }
    await disrupt(edge);
    await close(edge);
    for (const reader of readers) expect(await reader.take(2)).toEqual(["control@14 up-to-date closed", "end"]);
  });

  it("[LP3] and a long-poll gets the append that comes then", async () => {
    const edge = await newStream({ body: "start", vars: LONG });
    const poll = await waitingPoll(edge);
    await disrupt(edge);
    await append(edge, "next");
    const response = await poll.response;
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("next");
  });

  it("[LP6] and a long-poll learns of the close that comes then", async () => {
    const edge = await newStream({ vars: LONG });
    const poll = await waitingPoll(edge);
    await disrupt(edge);
    await close(edge);
    const response = await poll.response;
    expect(response.status).toBe(204);
    expect(response.headers.get("Stream-Closed")).toBe("true");
  });
});

it("a thousand SSE readers wait while the object is not in memory, and each gets all that is written between", async () => {
  const edge = await newStream();
  const readers = await Promise.all(Array.from({ length: 1_000 }, () => sse(edge)));
  for (const [round, text] of ["one", "two"].entries()) {
    expect(await readersOf(edge)).toBe(1);
    await evict(edge);
    await append(edge, text);
    const taken = await Promise.all(readers.map((reader) => reader.take(round === 0 ? 3 : 2)));
    expect(new Set(taken.map((events) => events.slice(-2).join()))).toEqual(
      new Set([`data:${text},control@${3 + 3 * round} up-to-date`]),
    );
  }
});

describe("the position of a socket", () => {
  it("a reader at another position is told that it is behind, and gets no frame", async () => {
    const edge = await newStream({ body: "0123456789" });
    const { messages, closed } = await rawSocket(edge);
    await standAt(edge, 4);
    await append(edge, "next");
    expect(await closed).toBe(CLOSE_BEHIND);
    expect(messages).toEqual([]);
  });

  it("a reader at the tail is sent commit after commit on one socket, through evictions", async () => {
    const edge = await newStream({ body: "0123456789" });
    const { messages } = await rawSocket(edge);
    for (const text of ["a", "bc", "def"]) {
      await append(edge, text);
      await evict(edge);
    }
    while (messages.length < 3) await scheduler.wait(5);
    const frames = messages.map((message) => {
      const frame = decodeFrame(message);
      return [frame?.from, frame?.to, textOf(frame?.bytes ?? new Uint8Array())];
    });
    expect(frames).toEqual([
      [10, 11, "a"],
      [11, 13, "bc"],
      [13, 16, "def"],
    ]);
  });

  it("[SS22] a reader whose edge asks for ranges is sent that of a commit of 5 MiB; one of an older edge is told that it is behind", async () => {
    const edge = await newStream();
    const [older, newer] = [await rawSocket(edge), await rawSocket(edge, { takesRanges: true })];
    const size = 5 * 1024 * 1024;
    await append(edge, "x".repeat(size));
    expect(await older.closed).toBe(CLOSE_BEHIND);
    while (newer.messages.length === 0) await scheduler.wait(5);
    expect([older.messages.length, newer.messages.length]).toEqual([0, 1]);
    const frame = decodeFrame(newer.messages[0] as ArrayBuffer);
    expect(frame).toEqual({ from: 0, to: size, closed: false, bytes: new Uint8Array() });
  });

  it.each([0, 4, 99])(
    "an SSE reader whose socket stands at %d catches up, and has every byte once",
    async (position) => {
      const edge = await newStream({ body: "0123456789" });
      const reader = await sse(edge);
      expect(await reader.take(1)).toEqual(["control@10 up-to-date"]);
      await standAt(edge, position);
      await append(edge, "abc");
      expect(await reader.take(2)).toEqual(["data:abc", "control@13 up-to-date"]);
      await append(edge, "def");
      expect(await reader.take(2)).toEqual(["data:def", "control@16 up-to-date"]);
    },
  );

  it("is that of the socket, also after an eviction: readers behind the tail are turned away at once", async () => {
    const edge = await newStream({ body: "0123456789" });
    const reader = await sse(edge);
    await reader.take(1);
    await standAt(edge, 4);
    await evict(edge);
    await append(edge, "abc");
    expect(await reader.take(2)).toEqual(["data:abc", "control@13 up-to-date"]);
  });
});

it("[SS22] live never overtakes catch-up: what is appended while a reader catches up over many pages comes in its place", async () => {
  const edge = await newStream({ vars: { SSE_BUFFER_BYTES_MAX: "65536" } });
  const written: string[] = [];
  const write = async (text: string): Promise<void> => {
    written.push(text);
    expect((await append(edge, text)).status).toBe(204);
  };
  for (let index = 0; index < 30; index += 1) await write(`${index}:${"x".repeat(100_000)};`);
  const reader = await sse(edge, "-1");
  const first = await reader.next();
  for (let index = 0; index < 20; index += 1) await write(`late ${index};`);
  const reading = reader.untilClosed();
  for (let index = 0; index < 20; index += 1) await write(`later ${index};`);
  await close(edge);
  expect((first?.data ?? "") + (await reading)).toBe(written.join(""));
});

describe("an append that is larger than a page", () => {
  const MIB = 1024 * 1024;
  const textOfSize = (size: number): string =>
    Array.from({ length: size / 16 }, (_, index) => `${index} é\n`.padEnd(15, " ")).join("");
  const text = textOfSize(5 * MIB);

  it.each([
    ["text/plain", 2 * MIB],
    ["text/plain", 5 * MIB],
    ["application/json", 2 * MIB],
    ["application/octet-stream", 5 * MIB],
  ])(
    "is one event of %s, %d bytes, for readers who catch up and who wait, and its control comes after all of it",
    async (contentType, textSize) => {
      const text = textOfSize(textSize);
      const edge = await newStream({ contentType });
      const waiting = await sse(edge);
      await waiting.take(1);
      const body = contentType === "application/json" ? JSON.stringify([text]) : text;
      expect((await append(edge, body, { "Content-Type": contentType })).status).toBe(204);
      const catching = await sse(edge, "-1");
      const size = new TextEncoder().encode(body).length - (contentType === "application/json" ? 1 : 0);
      for (const reader of [waiting, catching]) {
        expect((await reader.next())?.data === body).toBe(true);
        expect(await reader.take(1)).toEqual([`control@${size} up-to-date`]);
      }
      await close(edge);
      for (const reader of [waiting, catching])
        expect(await reader.take(1)).toEqual([`control@${size} up-to-date closed`]);
    },
  );

  it.each([
    [1, 1],
    [5, 5],
  ])("[SS21] [RE10] of %d MiB is never more than a page in memory: it comes in %d chunks", async (size, count) => {
    const edge = await newStream({ body: textOfSize(size * MIB) });
    await close(edge);
    const response = await edge.fetch("?live=sse&offset=-1");
    const chunks: number[] = [];
    for await (const chunk of response.body ?? []) chunks.push(chunk.length);
    expect(chunks).toHaveLength(count);
    expect(Math.max(...chunks)).toBeLessThan(1.5 * MIB);
  });

  it("[SS21] comes in chunks of a page at the most to readers who wait, too", async () => {
    const edge = await newStream();
    const response = await edge.fetch("?live=sse&offset=now");
    await append(edge, textOfSize(2 * MIB));
    await close(edge);
    let [size, largest] = [0, 0];
    for await (const chunk of response.body ?? []) {
      size += chunk.length;
      largest = Math.max(largest, chunk.length);
    }
    expect(size).toBeGreaterThan(2 * MIB);
    expect(largest).toBeLessThan(1.5 * MIB);
  });

  it("is ended when the session's time is over meanwhile", async () => {
    const edge = await newStream({ body: text, vars: { SSE_BUFFER_BYTES_MAX: "65536", SSE_SESSION_SECONDS: "2" } });
    await append(edge, "next");
    const reader = await sse(edge, "-1");
    await scheduler.wait(2_100);
    expect((await reader.next())?.data === text).toBe(true);
    const size = new TextEncoder().encode(text).length;
    expect(await reader.take(2)).toEqual([`control@${size}`, "end"]);
  });

  it("is read as it is taken: deleted in the middle, the response breaks off and no control lets a client go on", async () => {
    const edge = await newStream({ body: text, vars: { SSE_BUFFER_BYTES_MAX: "65536" } });
    const reader = new EventReader(await edge.fetch("?live=sse&offset=-1"));
    await edge.fetch("", { method: "DELETE" });
    await expect(reader.next()).rejects.toThrow("read ended early");
  });

  it("reaches a long-poll that waits", async () => {
    const edge = await newStream({ vars: LONG });
    const poll = await waitingPoll(edge);
    await append(edge, text);
    expect((await (await poll.response).text()) === text).toBe(true);
  });
});

describe("deleting the stream", () => {
  it("[SS15] ends an SSE reader, but not within a second of its opening", async () => {
    const edge = await newStream();
    const openedAtMs = Date.now();
    const reader = await sse(edge);
    await reader.take(1);
    await edge.fetch("", { method: "DELETE" });
    expect(await reader.take(2)).toEqual(["problem:stream-not-found", "end"]);
    expect(Date.now() - openedAtMs).toBeGreaterThanOrEqual(990);
  });

  it("[LP7] [DE3] ends a long-poll with 404, long before its time", async () => {
    const edge = await newStream({ vars: LONG });
    const poll = await waitingPoll(edge);
    await edge.fetch("", { method: "DELETE" });
    const response = await poll.response;
    expect(response.status).toBe(404);
    expect(await problemCode(response)).toBe("stream-not-found");
  });

  it("[DE4] [IN11] lets no reader of the old stream see a byte of the one that is made after it", async () => {
    const edge = await newStream();
    const reader = await sse(edge);
    await reader.take(1);
    await edge.fetch("", { method: "DELETE" });
    await edge.fetch("", { method: "PUT", headers: { "Content-Type": "text/plain" } });
    await append(edge, "new");
    expect(await reader.take(2)).toEqual(["problem:stream-not-found", "end"]);
    expect(await content(edge)).toBe("new");
  });
});

it("[SC12] a reader that goes away frees its socket", async () => {
  const edge = await newStream();
  const reader = await sse(edge);
  await reader.take(1);
  expect(await readersOf(edge)).toBe(1);
  await reader.cancel();
  while ((await readersOf(edge)) > 0) await scheduler.wait(5);
  expect(await readersOf(edge)).toBe(0);
});

/** Says in the attachments of all sockets that they stand at a position. */
async function standAt(edge: Edge, position: number): Promise<void> {
  await inObject(edge, (_, state) => {
    for (const socket of state.getWebSockets()) socket.serializeAttachment(position);
  });
}

/** A live reader's socket without the edge's code around it. */
async function rawSocket(
  edge: Edge,
  more: { takesRanges?: true } = {},
): Promise<{ messages: ArrayBuffer[]; closed: Promise<number> }> {
  const { webSocket: socket } = await edge
    .stub()
    .fetch(attachRequest({ kind: "now" }, { budget: "tokens", isLimited: false, ...more }));
  if (socket === null) throw new Error("The object gave no socket.");
  const messages: ArrayBuffer[] = [];
  const closed = new Promise<number>((resolve) => {
    socket.addEventListener("message", ({ data }) => data instanceof ArrayBuffer && messages.push(data));
    socket.addEventListener("close", ({ code }) => resolve(code));
  });
  socket.binaryType = "arraybuffer";
  socket.accept();
  return { messages, closed };
}

describe("when live reads are to end", () => {
  it("a long-poll that waits ends as if its time were over", async () => {
    const edge = await newStream({ body: "start", vars: LONG });
    const poll = await waitingPoll(edge);
    edge.liveReads.end();
    const response = await poll.response;
    expect([response.status, response.headers.get("Stream-Up-To-Date")]).toEqual([204, "true"]);
  });

  it("an event stream ends after a whole event, and so does one that begins then", async () => {
    const edge = await newStream({ body: "start", vars: { SSE_SESSION_SECONDS: "3600" } });
    const readers = [await sse(edge, "-1")];
    edge.liveReads.end();
    readers.push(await sse(edge, "-1"));
    for (const reader of readers) {
      expect(await reader.take(3)).toEqual(["data:start", "control@5 up-to-date", "end"]);
    }
  });

  it("those that are over are forgotten", async () => {
    const edge = await newStream({ body: "start", vars: LONG });
    const poll = await waitingPoll(edge);
    const reader = await sse(edge);
    expect(edge.liveReads.count).toBe(2);
    await append(edge, "next");
    await poll.response;
    await close(edge);
    expect(await reader.take(5)).toContain("end");
    expect(edge.liveReads.count).toBe(0);
  });
});
