/** Offsets inside an append of a JSON stream, which server-sent events name between the parts of a large append. */
import { stream } from "@durable-streams/client";
import { EventSource } from "eventsource";
import { beforeAll, describe, expect, it } from "vitest";

import { EventStream, type Event } from "../src/event-stream.ts";
import {
  append,
  CLOSE,
  codeOf,
  create,
  get,
  header,
  JSON_TYPE,
  nextOffset,
  send,
  tailOf,
  type Answer,
} from "../src/requests.ts";
import { useServer } from "../src/test-server.ts";

const server = useServer();
const MIB = 1024 * 1024;
const LINE_BYTES = 64 * 1024;

/** An array of so many bytes, of messages whose text is not what `JSON.stringify` makes. */
function messagesOf(bytes: number, salt = ""): string[] {
  return Array.from({ length: Math.ceil(bytes / 1_000) }, (_, index) => {
    return `{"n":${index}.0, "s":"${salt}],[\\",${"y".repeat(960)}"}`;
  });
}

const arrayOf = (messages: readonly string[]): string => `[${messages.join()}]`;

interface Claim {
  readonly wake_id: string;
  readonly generation: number;
  readonly token: string;
  readonly streams: readonly { readonly path: string; readonly acked_offset: string }[];
}

/** The text of the messages that come in data events, and what each event and its control say. */
interface Pair {
  readonly messages: string;
  readonly offset: string;
  readonly isLast: boolean;
}

function pairsIn(events: readonly Event[]): Pair[] {
  const pairs: Pair[] = [];
  for (const [index, { type, data, id }] of events.entries()) {
    if (type !== "data") continue;
    const control = events[index + 1];
    if (control?.type !== "control") throw new Error("no control event after data");
    const { streamNextOffset, upToDate, streamClosed } = JSON.parse(control.data) as Record<string, unknown>;
    expect(streamNextOffset).toBe(id);
    pairs.push({ messages: data.slice(1, -1), offset: id ?? "", isLast: upToDate === true || streamClosed === true });
  }
  return pairs;
}

/** Follows live until so many bytes of messages are there. */
async function pairsUntil(events: EventStream, bytes: number): Promise<Pair[]> {
  const seen: Event[] = [];
  for (let size = 0; size < bytes;) {
    const event = await events.next();
    if (event === undefined) break;
    seen.push(event);
    if (event.type === "data") size += event.data.length - 1;
  }
  const control = await events.next();
  return pairsIn(control === undefined ? seen : [...seen, control]);
}

function expectPairs(pairs: readonly Pair[], messages: readonly string[]): void {
  const found = pairs.map((pair) => pair.messages).join();
  expect(found.length).toBe(messages.join().length);
  expect(found === messages.join()).toBe(true);
  expect(pairs.every((pair) => !pair.messages.includes("\n") && pair.messages.length < LINE_BYTES)).toBe(true);
  expect(pairs.map(({ isLast }) => isLast)).toEqual(pairs.map((_, index) => index === pairs.length - 1));
}

describe("[SS21] [SS10] one append of many small messages comes over SSE as they were written, in short lines", () => {
  it.each([0.3, 3, 9.5])("%d MiB, to a reader who catches up", async (size) => {
    const messages = messagesOf(size * MIB);
    const url = await server.newStream(arrayOf(messages), { ...JSON_TYPE, ...CLOSE });
    const events = await EventStream.open(`${url}?offset=-1&live=sse`);
    expectPairs(pairsIn(await events.rest()), messages);
  });

  it.each([0.3, 3, 9.5])("%d MiB, to a reader who is there", async (size) => {
    const messages = messagesOf(size * MIB);
    const url = await server.newStream("", JSON_TYPE);
    const events = await EventStream.open(`${url}?offset=-1&live=sse`);
    expect(await events.control()).toMatchObject({ upToDate: true });
    await append(url, arrayOf(messages), JSON_TYPE);
    expectPairs(await pairsUntil(events, messages.join().length), messages);
    events.close();
  });
});

describe("an offset where a message ends inside an append", () => {
  const [first, second] = [messagesOf(1.2 * MIB, "a"), messagesOf(1.2 * MIB, "b")];
  const all = [...first, ...second];
  let url: string;
  /** Of each append, one of its inner offsets, and the messages that come after it. */
  let inner: readonly { readonly offset: string; readonly rest: readonly string[] }[];

  beforeAll(async () => {
    url = await server.newStream(arrayOf(first), JSON_TYPE);
    const end = await tailOf(url);
    await append(url, arrayOf(second), JSON_TYPE);
    const events = await EventStream.open(`${url}?offset=-1&live=sse`);
    const pairs = await pairsUntil(events, all.join().length);
    events.close();
    const places = [3, pairs.findIndex(({ offset }) => offset === end) + 3];
    inner = places.map((index) => {
      const seen = pairs.slice(0, index + 1).map(({ messages }) => messages);
      const count = (JSON.parse(`[${seen.join()}]`) as unknown[]).length;
      return { offset: pairs[index]?.offset ?? "", rest: all.slice(count) };
    });
  });

  const moved = (offset: string, by: number): string => {
    const [incarnation, position] = offset.split("_");
    return `${incarnation}_${String(Number(position) + by).padStart(16, "0")}`;
  };

  it("[SS23] is where every kind of read goes on, as the messages were written", async () => {
    for (const { offset, rest } of inner) {
      const expected = arrayOf(rest);
      for (const live of ["", "&live=long-poll"]) {
        const answer = await get(`${url}?offset=${offset}${live}`);
        expect([answer.status, answer.text === expected, nextOffset(answer)]).toEqual([200, true, await tailOf(url)]);
      }
      const events = await EventStream.open(`${url}?offset=-1&live=sse`, { "Last-Event-ID": offset });
      expectPairs(await pairsUntil(events, rest.join().length), rest);
      events.close();
    }
  });

  it.each(["sse", "long-poll", false] as const)("[SS23] is read by the official client: live %j", async (live) => {
    for (const { offset, rest } of inner) {
      const response = await stream<unknown>({ url, offset, live, json: true });
      const items: unknown[] = [];
      await new Promise<void>((resolve) => {
        response.subscribeJson((batch) => {
          items.push(...batch.items);
          if (items.length >= rest.length) resolve();
        });
      });
      response.cancel();
      expect(items).toEqual(JSON.parse(arrayOf(rest)));
    }
  });

  it("[SS23] [CA13] has an entity tag of its own, and is kept by caches as that of an append's end", async () => {
    const [{ offset } = { offset: "" }] = inner;
    const [whole, rest] = [await get(`${url}?offset=-1`), await get(`${url}?offset=${offset}`)];
    const tag = header(rest, "ETag");
    expect(tag).not.toBe(header(whole, "ETag"));
    expect(header(rest, "Cache-Control")).toMatch(/^public, max-age=\d+/);
    const again = (etag: string): Promise<Answer> => get(`${url}?offset=${offset}`, { "If-None-Match": etag });
    expect([(await again(tag)).status, (await again(header(whole, "ETag"))).status]).toEqual([304, 200]);
  });

  it("[OF13] and one where none ends means where the append begins, or nothing in the first append", async () => {
    const [one, two] = inner.map(({ offset }) => moved(offset, 5));
    for (const live of ["", "&live=long-poll", "&live=sse"])
      expect(codeOf(await get(`${url}?offset=${one}${live}`))).toBe("offset-invalid");
    expect((await get(`${url}?offset=${two}`)).text === arrayOf(second)).toBe(true);
    const events = await EventStream.open(`${url}?offset=${two}&live=sse`);
    expectPairs(await pairsUntil(events, second.join().length), second);
    events.close();
  });

  it("[OF13] forks the stream where that append begins, and never in its middle", async () => {
    const forkAt = (offset: string, fork: string): Promise<Answer> =>
      send("PUT", fork, { headers: { "Stream-Forked-From": new URL(url).pathname, "Stream-Fork-Offset": offset } });
    const [one, two] = inner.map(({ offset }) => offset);
    expect((await forkAt(one ?? "", server.newUrl())).status).toBe(400);
    const fork = server.newUrl();
    expect((await forkAt(two ?? "", fork)).status).toBe(201);
    expect((await get(`${fork}?offset=-1`)).text === arrayOf(first)).toBe(true);
    // What the fork does not have is not passed over in silence.
    expect((await get(`${fork}?offset=${two}`)).status).toBe(400);
  });

  it("[CX2] is not where a stream ends, so nothing is appended that expects it", async () => {
    for (const { offset } of inner) {
      const refused = await append(url, "1", { ...JSON_TYPE, "Stream-Expected-Offset": offset });
      expect([refused.status, nextOffset(refused)]).toEqual([409, await tailOf(url)]);
    }
  });

  it("[SE1] is where a session joins with the append's beginning, so nothing is missing", async () => {
    const session = `${server.newUrl().split("/").at(-1)}`;
    const name = new URL(url).pathname.replace("/v1/stream/", "");
    const body = JSON.stringify({ estuaryId: session, from: inner[1]?.offset });
    const joined = await send("POST", `${server.url}/v1/estuary/subscribe/${name}`, { body });
    expect(joined.status).toBeLessThan(300);
    const events = await EventStream.open(`${server.url}/v1/stream/${session}?offset=-1&live=sse`);
    const pairs = await pairsUntil(events, second.join().length);
    events.close();
    const delivered = JSON.parse(`[${pairs.map(({ messages }) => messages).join()}]`) as unknown[];
    expect(delivered).toHaveLength(second.length);
  });
});

it("[WK10] [SS23] a worker that has acknowledged such an offset reads on from there", async () => {
  const root = `${server.url}/v1/stream/`;
  const [url, wakes, id] = [server.newUrl(), server.newUrl(), `w-${Date.now()}`];
  const [name, wakeStream] = [url, wakes].map((each) => each.slice(root.length));
  for (const each of [url, wakes]) await create(each, { headers: JSON_TYPE });
  const call = (method: string, path: string, body: object, token = ""): Promise<Answer> =>
    send(method, `${root}__ds/subscriptions/${id}${path}`, {
      headers: { ...JSON_TYPE, ...(token === "" ? {} : { Authorization: `Bearer ${token}` }) },
      body: JSON.stringify(body),
    });
  const made = await call("PUT", "", { type: "pull-wake", streams: [name], wake_stream: wakeStream });
  expect([made.status, made.text]).toEqual([201, made.text]);
  const messages = messagesOf(0.3 * MIB);
  await append(url, arrayOf(messages), JSON_TYPE);
  const events = await EventStream.open(`${url}?offset=-1&live=sse`);
  const [first] = await pairsUntil(events, messages.join().length);
  events.close();
  const claimed = JSON.parse((await call("POST", "/claim", { worker: "w" })).text) as Claim;
  const acks = [{ stream: name, offset: first?.offset }];
  const { wake_id, generation } = claimed;
  expect((await call("POST", "/ack", { wake_id, generation, acks, done: true }, claimed.token)).status).toBe(200);
  const next = JSON.parse((await call("POST", "/claim", { worker: "w" })).text) as Claim;
  expect(next.streams).toMatchObject([{ path: name, acked_offset: first?.offset, has_pending: true }]);
  const rest = (await get(`${url}?offset=${next.streams[0]?.acked_offset}`)).text;
  expect(`[${first?.messages},${rest.slice(1)}` === arrayOf(messages)).toBe(true);
});

it("[EV1] [SS23] an EventSource that is cut off inside an append gets each message once", async () => {
  const messages = messagesOf(2 * MIB);
  const url = await server.newStream(arrayOf(messages), JSON_TYPE);
  await append(url, "{}", { ...JSON_TYPE, ...CLOSE });
  const seen: unknown[] = [];
  const ids: string[] = [];
  await new Promise<void>((resolve) => {
    const source = new EventSource(`${url}?offset=-1&live=sse`, {
      fetch: async (input, init) => {
        const response = await fetch(input, init);
        ids.push(new Headers(init?.headers).get("Last-Event-ID") ?? "");
        return ids.length > 2 ? response : cutOff(response, 400_000);
      },
    });
    source.addEventListener("data", ({ data }) => void seen.push(...(JSON.parse(data as string) as unknown[])));
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) resolve();
    });
  });
  expect(seen.length).toBe(messages.length + 1);
  expect(seen).toEqual([...(JSON.parse(arrayOf(messages)) as unknown[]), {}]);
  expect(ids.slice(1, 3).every((id) => id !== "")).toBe(true);
});

/** Ends a response after so many bytes. */
function cutOff(response: Response, bytes: number): Response {
  let left = bytes;
  const cut = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      controller.enqueue(chunk.subarray(0, left));
      left -= chunk.length;
      if (left <= 0) controller.terminate();
    },
  });
  return new Response(response.body?.pipeThrough(cut) ?? null, response);
}
