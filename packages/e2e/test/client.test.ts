/** `@durable-streams/client` in Node.js, used as its documentation says. */
import { DurableStream, stream, type LiveMode } from "@durable-streams/client";
import { describe, expect, it } from "vitest";

import { bytesOf, digest, messagesOf, MIB, slices, type Message } from "../src/payloads.ts";
import { useServer } from "../src/test-server.ts";

const JSON_TYPE = "application/json";
const BINARY_TYPE = "application/octet-stream";
const TWENTY_MIB = bytesOf(20 * MIB);
const TWENTY_THOUSAND = messagesOf(20_000);
const ALL_MODES: readonly LiveMode[] = [true, "sse", "long-poll", false];
const LIVE_MODES: readonly LiveMode[] = [true, "sse", "long-poll"];

const server = useServer();

function create(contentType: string): Promise<DurableStream> {
  return DurableStream.create({ url: server.newUrl(), contentType });
}

async function appendBytes(handle: DurableStream, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; at += MIB) await handle.append(bytes.subarray(at, at + MIB));
}

/** Appends that are not awaited one by one: the client makes batches of them. */
async function appendMessages(handle: DurableStream, messages: readonly Message[]): Promise<void> {
  for (const part of slices(messages, 2_000)) {
    await Promise.all(part.map((message) => handle.append(JSON.stringify(message))));
  }
}

/** Reads from the beginning to the close; `whenLive` runs once the reader has caught up. */
async function readBytes(handle: DurableStream, live: LiveMode, whenLive: () => Promise<void>): Promise<Uint8Array> {
  const response = await handle.stream({ live });
  const chunks: Uint8Array[] = [];
  let follow: Promise<void> | undefined;
  response.subscribeBytes(({ data, upToDate }) => {
    chunks.push(data);
    if (upToDate) follow ??= whenLive();
  });
  await response.closed;
  await follow;
  expect(response.streamClosed).toBe(true);
  return Buffer.concat(chunks);
}

async function readMessages(handle: DurableStream, live: LiveMode, whenLive: () => Promise<void>): Promise<Message[]> {
  const response = await handle.stream<Message>({ live });
  const messages: Message[] = [];
  let follow: Promise<void> | undefined;
  response.subscribeJson(({ items, upToDate }) => {
    for (const item of items) messages.push(item);
    if (upToDate) follow ??= whenLive();
  });
  await response.closed;
  await follow;
  expect(response.streamClosed).toBe(true);
  return messages;
}

describe("[RE1] a stream of 20 MB arrives complete and unchanged, half of it while the reader follows, and ends", () => {
  it.each(LIVE_MODES)("as bytes, live: %j", async (live) => {
    const handle = await create(BINARY_TYPE);
    await appendBytes(handle, TWENTY_MIB.subarray(0, 10 * MIB));
    const received = await readBytes(handle, live, async () => {
      await appendBytes(handle, TWENTY_MIB.subarray(10 * MIB));
      await handle.close();
    });
    expect(received.length).toBe(TWENTY_MIB.length);
    expect(digest(received)).toBe(digest(TWENTY_MIB));
  });

  it.each(LIVE_MODES)("as JSON, live: %j", async (live) => {
    const handle = await create(JSON_TYPE);
    await appendMessages(handle, TWENTY_THOUSAND.slice(0, 10_000));
    const received = await readMessages(handle, live, async () => {
      await appendMessages(handle, TWENTY_THOUSAND.slice(10_000));
      await handle.close();
    });
    expect(received.length).toBe(TWENTY_THOUSAND.length);
    expect(digest(received)).toBe(digest(TWENTY_THOUSAND));
  });
});

describe("[RE6] a stream of 20 MB arrives in one response, live: false", () => {
  it("as bytes", async () => {
    const handle = await create(BINARY_TYPE);
    await appendBytes(handle, TWENTY_MIB);
    const response = await handle.stream({ live: false });
    expect(digest(await response.body())).toBe(digest(TWENTY_MIB));
    expect(response).toMatchObject({ upToDate: true, streamClosed: false });
  });

  it("as JSON", async () => {
    const handle = await create(JSON_TYPE);
    await appendMessages(handle, TWENTY_THOUSAND);
    const response = await handle.stream<Message>({ live: false });
    expect(digest(await response.json())).toBe(digest(TWENTY_THOUSAND));
    expect(response).toMatchObject({ upToDate: true, streamClosed: false });
  });
});

it("[AP5] one append of unknown length, piece by piece, is stored whole", async () => {
  const handle = await create(BINARY_TYPE);
  const bytes = TWENTY_MIB.subarray(0, 4 * MIB);
  await handle.appendStream(chunksOf(bytes, 100_000));
  expect(digest(await (await handle.stream({ live: false })).body())).toBe(digest(bytes));
});

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

it("[SS13] text that is cut inside its characters arrives unchanged over SSE", async () => {
  const text = "naïve 😀 日本語\n\u2028 data: x\n\n".repeat(50);
  const bytes = new TextEncoder().encode(text);
  const handle = await create("text/plain");
  await handle.append("start ");
  const received = await readBytes(handle, "sse", async () => {
    for await (const chunk of chunksOf(bytes, 7)) await handle.append(chunk);
    await handle.close();
  });
  expect(Buffer.from(received).toString()).toBe(`start ${text}`);
});

describe("[OF15] a reader goes on from an offset that it saved", () => {
  it.each(ALL_MODES)("live: %j", async (live) => {
    const handle = await create(JSON_TYPE);
    await handle.append(`"before"`);
    const first = await handle.stream({ live: false });
    await first.json();
    await handle.append(`"after"`);
    await handle.close();
    const second = await stream<string>({ url: handle.url, offset: first.offset, live });
    const items: string[] = [];
    for await (const item of second.jsonStream()) items.push(item);
    expect(items).toEqual(["after"]);
    expect(second.streamClosed).toBe(true);
  });

  it("[OF3] in another run of the server", async () => {
    const handle = await create("text/plain");
    await handle.append("before ");
    const first = await handle.stream({ live: false });
    await first.text();
    await server.restart();
    const again = await DurableStream.connect({ url: handle.url });
    await again.append("after");
    expect(await (await again.stream({ offset: first.offset, live: false })).text()).toBe("after");
    expect(await (await again.stream({ live: false })).text()).toBe("before after");
  });
});

describe("closing a stream without data", () => {
  it.each(LIVE_MODES)("[LP6] [SS6] ends its readers, live: %j", async (live) => {
    const handle = await create(BINARY_TYPE);
    const received = await readBytes(handle, live, async () => void (await handle.close()));
    expect(received.length).toBe(0);
    expect(await handle.head()).toMatchObject({ exists: true, streamClosed: true });
  });

  it("[CL2] [CL3] refuses later appends, and can be read", async () => {
    const handle = await create("text/plain");
    await handle.close({ body: "last" });
    await expect(handle.append("more")).rejects.toMatchObject({ status: 409 });
    expect(await (await handle.stream({ live: false })).text()).toBe("last");
  });
});

describe("a deleted stream", () => {
  it("[DE1] [RE9] is gone", async () => {
    const handle = await create("text/plain");
    await handle.append("gone");
    await handle.delete();
    expect(await handle.head()).toEqual({ exists: false });
    await expect(handle.stream({ live: false })).rejects.toMatchObject({ status: 404 });
    await expect(handle.append("more")).rejects.toMatchObject({ status: 404 });
  });

  it.each(LIVE_MODES)("[DE3] ends its readers with an error, live: %j", async (live) => {
    const handle = await create("text/plain");
    const response = await handle.stream({ live });
    let deletion: Promise<void> | undefined;
    response.subscribeText(({ upToDate }) => {
      if (upToDate) deletion ??= handle.delete();
    });
    await expect(response.closed).rejects.toMatchObject({ status: 404 });
    await deletion;
  });
});
