/**
 * Readers that are made for any event stream: they know nothing of offsets, come back to the same URL by themselves, and
 * say only the last `id` that they have seen.
 */
import { fetchEventSource } from "@microsoft/fetch-event-source";
import { EventSource } from "eventsource";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { EventStream } from "../src/event-stream.ts";
import { append, CLOSE, codeOf, get, JSON_TYPE, nextOffset, send, tailOf } from "../src/requests.ts";
import { useServer } from "../src/test-server.ts";

/** Sessions are as short as they may be, so that readers come back soon. */
const server = useServer({ SSE_SESSION_SECONDS: 2 });

interface Watched {
  /** Stands for the global one. */
  readonly fetch: typeof fetch;
  readonly onMessages: (messages: unknown[]) => void;
}

/** Reads messages until the server says that there will never be more. */
type Read = (url: string, watched: Watched) => Promise<void>;

const readByEventSource: Read = (url, { fetch: watchedFetch, onMessages }) =>
  new Promise((resolve, reject) => {
    const source = new EventSource(url, { fetch: (input, init) => watchedFetch(input, init) });
    source.addEventListener("data", ({ data }) => onMessages(JSON.parse(data as string) as unknown[]));
    source.addEventListener("error", ({ code }) => {
      if (source.readyState !== EventSource.CLOSED) return;
      if (code === 204) resolve();
      else reject(new Error(`answered ${code}`));
    });
  });

const readByFetchEventSource: Read = async (url, { fetch: watchedFetch, onMessages }) => {
  const end = new AbortController();
  await fetchEventSource(url, {
    fetch: watchedFetch,
    signal: end.signal,
    openWhenHidden: true,
    onopen: async (response) => {
      if (response.status === 204) end.abort();
      else if (!response.ok) throw new Error(`answered ${response.status}`);
    },
    onmessage: ({ event, data }) => {
      if (event === "data") onMessages(JSON.parse(data) as unknown[]);
    },
    // Otherwise the end of one response is the end of all.
    onclose: () => {
      if (!end.signal.aborted) throw new Error("come back");
    },
    onerror: () => 1,
  });
};

beforeAll(() => {
  // Made for pages.
  vi.stubGlobal("window", globalThis);
  vi.stubGlobal("document", new EventTarget());
});

afterAll(() => {
  vi.unstubAllGlobals();
});

// At once: what takes time is the sessions and the pauses between them.
describe.concurrent.each([
  { name: "eventsource", read: readByEventSource },
  { name: "@microsoft/fetch-event-source", read: readByFetchEventSource },
])("$name", ({ read }) => {
  it.each(["-1", "now"])(
    "[EV1] gets each message once over several sessions, and stops at the end (offset=%s)",
    async (offset) => {
      const url = await server.newStream("[0]", JSON_TYPE);
      const seen: unknown[] = [];
      const lastIds: (string | null)[] = [];
      let sent = 0;
      const write = async (): Promise<void> => void (await append(url, String((sent += 1)), JSON_TYPE));
      await read(`${url}?offset=${offset}&live=sse`, {
        fetch: async (input, init) => {
          lastIds.push(new Headers(init?.headers).get("Last-Event-ID"));
          // While nobody was there.
          if (lastIds.length === 2 || lastIds.length === 3) await write();
          if (lastIds.length === 3) await send("POST", url, { headers: CLOSE });
          const response = await fetch(input, init);
          // When somebody is there.
          if (lastIds.length < 3) void write();
          return response;
        },
        onMessages: (messages) => void seen.push(...messages),
      });
      const first = offset === "now" ? 1 : 0;
      expect(seen).toEqual(Array.from({ length: sent + 1 - first }, (_, index) => index + first));
      expect(lastIds[0] ?? null).toBeNull();
      expect(lastIds.slice(1).every((id) => id?.includes("_"))).toBe(true);
      // The last one was answered 204.
      expect(lastIds.at(-1)).toBe(await tailOf(url));
    },
  );
});

describe("Last-Event-ID", () => {
  const resumed = (url: string, id: string, query: string): Promise<EventStream> =>
    EventStream.open(`${url}?${query}`, { "Last-Event-ID": id });

  it("[EV2] goes before the URL's offset, which is the one that the reader began with", async () => {
    const url = await server.newStream("abc");
    const first = await tailOf(url);
    const tail = nextOffset(await append(url, "def"));
    for (const offset of ["-1", "now", tail]) {
      const events = await resumed(url, first, `offset=${offset}&live=sse`);
      expect(await events.data()).toBe("def");
      events.close();
    }
  });

  it("[EV2] is nothing to other reads, and nothing when it is empty", async () => {
    const url = await server.newStream("abc");
    const id = { "Last-Event-ID": await tailOf(url) };
    for (const live of ["", "&live=long-poll"]) expect((await get(`${url}?offset=-1${live}`, id)).text).toBe("abc");
    const events = await resumed(url, "", "offset=-1&live=sse");
    expect(await events.data()).toBe("abc");
    events.close();
  });

  it("[EV2] that is foreign, or of a stream that is gone, is refused before any event", async () => {
    const url = await server.newStream("abc");
    const tail = await tailOf(url);
    await send("DELETE", url);
    await send("PUT", url, { headers: { "Content-Type": "text/plain" } });
    const answers = [tail, "17"].map((id) => get(`${url}?offset=-1&live=sse`, { "Last-Event-ID": id }));
    expect((await Promise.all(answers)).map(codeOf)).toEqual(["offset-gone", "offset-invalid"]);
  });

  it("[EV1] at the end of a closed stream is 204; who comes for the first time gets an event that says so", async () => {
    const url = await server.newStream("abc", { "Content-Type": "text/plain", ...CLOSE });
    const tail = await tailOf(url);
    const end = await get(`${url}?offset=-1&live=sse`, { "Last-Event-ID": tail });
    expect([end.status, end.headers.get("Stream-Closed"), nextOffset(end)]).toEqual([204, "true", tail]);
    const events = await EventStream.open(`${url}?offset=${tail}&live=sse`);
    expect(await events.control()).toMatchObject({ streamClosed: true });
  });
});

it("[EV3] data, and a control event without data, have an id to resume from, so a reader that has seen nothing yet begins again", async () => {
  const url = await server.newStream("abc");
  const events = await EventStream.open(`${url}?offset=now&live=sse`);
  const control = await events.next();
  expect(control).toMatchObject({ type: "control", id: await tailOf(url) });
  const tail = nextOffset(await append(url, "def"));
  expect(await events.next()).toEqual({ type: "data", data: "def", id: tail });
  // Behind data the control is as the protocol has it: the data has said where it ends.
  expect(await events.next()).toEqual({ type: "control", data: expect.stringContaining(tail) as string });
  events.close();
});
