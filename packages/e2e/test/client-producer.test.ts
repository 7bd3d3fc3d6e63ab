/** `IdempotentProducer` of `@durable-streams/client` in Node.js: exactly once, and never a loop of requests. */
import { DurableStream, IdempotentProducer, SequenceGapError, StaleEpochError } from "@durable-streams/client";
import { describe, expect, it } from "vitest";

import { countingFetch, fetchShuffled, fetchTwice, type CountingFetch } from "../src/counting-fetch.ts";
import { useServer } from "../src/test-server.ts";

const IN_FLIGHT = 5;
const MESSAGES = Array.from({ length: 400 }, (_, n) => n);

const server = useServer();

function create(): Promise<DurableStream> {
  return DurableStream.create({ url: server.newUrl(), contentType: "application/json" });
}

/** A producer whose every message is a batch of its own. */
function newProducer(
  handle: DurableStream,
  counting: CountingFetch,
  more: { epoch?: number; autoClaim?: boolean } = {},
) {
  const errors: Error[] = [];
  const producer = new IdempotentProducer(handle, "writer", {
    fetch: counting.fetch,
    maxBatchBytes: 1,
    maxInFlight: IN_FLIGHT,
    onError: (error) => errors.push(error),
    ...more,
  });
  return { producer, errors };
}

function produce(producer: IdempotentProducer, values: readonly unknown[]): void {
  for (const value of values) producer.append(JSON.stringify(value));
}

async function readAll(handle: DurableStream): Promise<unknown[]> {
  return (await handle.stream({ live: false })).json();
}

describe(`[PR19] with ${IN_FLIGHT} batches in flight everything arrives once and in order`, () => {
  it("when each request is sent once", async () => {
    const handle = await create();
    const counting = countingFetch();
    const { producer, errors } = newProducer(handle, counting);
    produce(producer, MESSAGES);
    await producer.flush();
    expect(errors).toEqual([]);
    expect(counting.peak()).toBe(IN_FLIGHT);
    expect(await readAll(handle)).toEqual(MESSAGES);
  });

  it("when each request reaches the server twice", async () => {
    const handle = await create();
    const { producer, errors } = newProducer(handle, countingFetch(fetchTwice));
    produce(producer, MESSAGES);
    await producer.flush();
    expect(errors).toEqual([]);
    expect(await readAll(handle)).toEqual(MESSAGES);
  });

  it("when requests overtake each other, and hardly any of them has to be sent again", async () => {
    const handle = await create();
    const counting = countingFetch(fetchShuffled);
    const { producer, errors } = newProducer(handle, counting);
    const messages = MESSAGES.slice(0, 150);
    produce(producer, messages);
    await producer.flush();
    expect(errors).toEqual([]);
    expect(await readAll(handle)).toEqual(messages);
    expect(counting.requests()).toBeLessThan(1.1 * messages.length);
  });

  it("when the last message closes the stream", async () => {
    const handle = await create();
    const { producer, errors } = newProducer(handle, countingFetch(fetchTwice));
    produce(producer, MESSAGES.slice(0, 100));
    const { finalOffset } = await producer.close(`"end"`);
    expect(errors).toEqual([]);
    expect(await readAll(handle)).toEqual([...MESSAGES.slice(0, 100), "end"]);
    expect(await handle.head()).toMatchObject({ streamClosed: true, offset: finalOffset });
  });
});

it("a stream that is piped into writable() is stored and closed", async () => {
  const handle = await DurableStream.create({ url: server.newUrl(), contentType: "text/plain" });
  const words = Array.from({ length: 500 }, (_, n) => `word ${n} `);
  const source = new ReadableStream<string>({
    start: (controller) => {
      for (const word of words) controller.enqueue(word);
      controller.close();
    },
  });
  await source.pipeTo(handle.writable({ maxBatchBytes: 64 }));
  const response = await handle.stream({ live: false });
  expect(await response.text()).toBe(words.join(""));
  expect(response.streamClosed).toBe(true);
});

/** Each of these is a `409` that must not look like a gap, which the producer would try to fill for ever. */
describe("[PR19] a producer that is refused ends after one request for each batch", () => {
  it("[PR15] when the stream was closed behind its back", async () => {
    const handle = await create();
    const counting = countingFetch();
    const { producer, errors } = newProducer(handle, counting);
    produce(producer, [1, 2, 3]);
    await producer.flush();
    await handle.close();
    const sentBefore = counting.requests();
    produce(producer, [4, 5, 6, 7, 8, 9, 10]);
    await producer.flush();
    expect(errors).toHaveLength(7);
    expect(errors.every((error) => error instanceof SequenceGapError)).toBe(true);
    expect(counting.requests() - sentBefore).toBe(7);
    expect(await readAll(handle)).toEqual([1, 2, 3]);
  });

  it("[PR15] when it sends another content type", async () => {
    const handle = await create();
    const counting = countingFetch();
    const { producer, errors } = newProducer(handle, counting);
    produce(producer, [1]);
    await producer.flush();
    handle.contentType = "text/plain";
    produce(producer, ["not JSON", "nor this"]);
    await producer.flush();
    expect(errors).toHaveLength(2);
    expect(counting.requests()).toBe(3);
    expect(await readAll(handle)).toEqual([1]);
  });

  it("[PR15] when its Stream-Seq is not strictly increasing", async () => {
    const handle = await create();
    const counting = countingFetch();
    const ordered = new DurableStream({
      url: handle.url,
      contentType: "application/json",
      headers: { "Stream-Seq": "a" },
    });
    const { producer, errors } = newProducer(ordered, counting);
    produce(producer, [1]);
    await producer.flush();
    produce(producer, [2]);
    await producer.flush();
    expect(errors).toHaveLength(1);
    expect(counting.requests()).toBe(2);
    expect(await readAll(handle)).toEqual([1]);
  });

  it("[IN9] when a newer epoch has fenced it", async () => {
    const handle = await create();
    const counting = countingFetch();
    const fenced = newProducer(handle, counting);
    produce(fenced.producer, ["old"]);
    await fenced.producer.flush();
    const newer = newProducer(handle, countingFetch(), { epoch: 1 });
    produce(newer.producer, ["new"]);
    await newer.producer.flush();
    const sentBefore = counting.requests();
    produce(fenced.producer, ["late", "later"]);
    await fenced.producer.flush();
    expect(fenced.errors).toEqual([new StaleEpochError(1), new StaleEpochError(1)]);
    expect(counting.requests() - sentBefore).toBe(2);
    expect(await readAll(handle)).toEqual(["old", "new"]);
  });
});

it("[PR5] a producer that claims the next epoch goes on with it", async () => {
  const handle = await create();
  const first = newProducer(handle, countingFetch(), { epoch: 4 });
  produce(first.producer, ["old"]);
  await first.producer.flush();
  const counting = countingFetch();
  const { producer, errors } = newProducer(handle, counting, { autoClaim: true });
  produce(producer, ["a", "b", "c"]);
  await producer.flush();
  expect(errors).toEqual([]);
  expect(producer.epoch).toBe(5);
  expect(counting.requests()).toBe(4);
  expect(await readAll(handle)).toEqual(["old", "a", "b", "c"]);
});
