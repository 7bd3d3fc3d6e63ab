/** Live readers that share a channel, while those that hold it are killed. */
import { setTimeout as delay } from "node:timers/promises";

import { describe, expect, it } from "vitest";

import { append, CLOSE, get, header, JSON_TYPE, create } from "../src/requests.ts";
import { SseFollower } from "../src/sse-follower.ts";
import { useServer } from "../src/test-server.ts";

const server = useServer({ SSE_HEARTBEAT_SECONDS: 1, LONG_POLL_TIMEOUT_MS: 1_000 });
/** `npm run test:live-hubs` asks for more. */
const RUNS = Number(process.env["LIVE_RUNS"] ?? 1);
const READERS = 40;
const LONG_POLLS = 10;
const KILLS = 30;
const KILL_MS = 40;
const HEARTBEATS = 3;

/** A reader, which goes on until the stream is closed. */
class Reader {
  text = "";
  isKilled = false;
  readonly #follower: SseFollower;
  readonly done: Promise<void>;

  private constructor(follower: SseFollower) {
    this.#follower = follower;
    this.done = this.#read();
  }

  static async open(url: string, offset: string): Promise<Reader> {
    return new Reader(await new SseFollower(url, offset).open());
  }

  get responses(): number {
    return this.#follower.responses;
  }

  kill(): void {
    this.isKilled = true;
    this.#follower.destroy();
  }

  async #read(): Promise<void> {
    try {
      for await (const { payload } of this.#follower.batches()) this.text += payload ?? "";
    } catch (error) {
      if (!this.isKilled) throw error;
    }
  }
}

async function pollToEnd(url: string, from: string): Promise<string> {
  let [text, offset] = ["", from];
  for (;;) {
    const answer = await get(`${url}?offset=${offset}&live=long-poll`);
    if (answer.status > 204) throw new Error(`a long-poll was answered ${answer.status}: ${answer.text}`);
    text += answer.text;
    offset = header(answer, "Stream-Next-Offset");
    if (answer.headers.get("Stream-Closed") === "true") return text;
  }
}

async function newTextStream(): Promise<{ url: string; offset: string }> {
  const url = server.newUrl();
  return { url, offset: header(await create(url), "Stream-Next-Offset") };
}

it.each(Array.from({ length: RUNS }, (_, run) => run))(
  `[SS22] [LP3] ${KILLS} readers are killed, each of them the one that holds the channel: the others get all, once and in order (%i)`,
  async () => {
    const { url, offset } = await newTextStream();
    const readers: Reader[] = [];
    for (let index = 0; index < READERS; index += 1) readers.push(await Reader.open(url, offset));
    const polls = Array.from({ length: LONG_POLLS }, () => pollToEnd(url, offset));
    let [written, isWriting] = ["", true];
    const writing = (async () => {
      for (let index = 0; isWriting; index += 1) {
        const message = `<${index}>`;
        expect((await append(url, message)).status).toBe(204);
        written += message;
      }
    })();
    for (let kills = 0; kills < KILLS; kills += 1) {
      await delay(KILL_MS);
      // The oldest one holds the channel, or is about to take it over.
      readers.find(({ isKilled }) => !isKilled)?.kill();
      if (kills % 5 === 0) readers.push(await Reader.open(url, offset));
    }
    isWriting = false;
    await writing;
    await append(url, "", CLOSE);
    const left = readers.filter(({ isKilled }) => !isKilled);
    await Promise.all(left.map(({ done }) => done));
    expect(left).toHaveLength(READERS + KILLS / 5 - KILLS);
    expect([...new Set(left.map(({ text }) => text))]).toEqual([written]);
    expect([...new Set(await Promise.all(polls))]).toEqual([written]);
    expect(Math.max(...left.map(({ responses }) => responses))).toBe(1);
  },
);

describe("readers that only wait", () => {
  it("[SS22] are not taken for hung: through several heartbeats, none of two hundred is cut off", async () => {
    const { url, offset } = await newTextStream();
    const readers = await Promise.all(Array.from({ length: 200 }, () => Reader.open(url, offset)));
    await delay(HEARTBEATS * 1_000);
    await append(url, "end", CLOSE);
    await Promise.all(readers.map(({ done }) => done));
    expect([...new Set(readers.map(({ text }) => text))]).toEqual(["end"]);
    expect(Math.max(...readers.map(({ responses }) => responses))).toBe(1);
  });
});

it("[SS18] a reader that takes nothing for a while gets the rest, while another one holds the channel", async () => {
  const url = server.newUrl();
  const offset = header(await create(url, { headers: JSON_TYPE }), "Stream-Next-Offset");
  const owner = await Reader.open(url, offset);
  // Opened, but not read.
  const slow = await new SseFollower(url, offset).open();
  const messages = Array.from({ length: 60 }, (_, index) => JSON.stringify(`${index}${"x".repeat(200_000)}`));
  for (const message of messages) expect((await append(url, message, JSON_TYPE)).status).toBe(204);
  await append(url, "", { ...JSON_TYPE, ...CLOSE });
  let text = "";
  for await (const { payload } of slow.batches()) text += payload ?? "";
  await owner.done;
  expect(text === messages.map((message) => `[${message}]`).join("")).toBe(true);
  expect(owner.text === text).toBe(true);
});

it("[SS22] none of this made a request use the input or output of another one, or wait for nothing of its own", () => {
  expect(server.log()).not.toMatch(/different request|hung|never generate a response/i);
});
