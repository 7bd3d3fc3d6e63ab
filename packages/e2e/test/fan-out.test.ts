import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterAll, beforeAll, expect, it } from "vitest";

import { append, CLOSE, create, JSON_TYPE, nextOffset, send } from "../src/requests.ts";
import { SseFollower } from "../src/sse-follower.ts";

const READERS = 500;
/** Short, so that every reader has to reconnect while the writer writes. */
const SESSION_SECONDS = 2;
/** Messages that are there before any reader comes. */
const EARLY = 20;
/** So many bytes, sent to all readers at once, are more than the object sends live: it makes them catch up. */
const LARGE_BYTES = 70_000;

let dataDir: string;
let server: ServerProcess;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "fan-out-"));
  server = await startServer({ dataDir, vars: { SSE_SESSION_SECONDS: SESSION_SECONDS } });
});

afterAll(async () => {
  await server.kill9();
  rmSync(dataDir, { recursive: true, force: true });
});

/** Some are large. */
function messageOf(id: number): { id: number; pad: string } {
  return { id, pad: "x".repeat(id % 25 === 0 ? LARGE_BYTES : id % 7) };
}

/** Appends the next messages, sometimes one, sometimes several, and remembers which offset follows which message. */
class Writer {
  readonly #url: string;
  /** How many messages there are at an offset. */
  readonly countAt = new Map<string, number>();
  count = 0;

  constructor(url: string) {
    this.#url = url;
  }

  async write(): Promise<void> {
    const size = this.count % 3 === 0 ? 1 : this.count % 5;
    const batch = Array.from({ length: Math.max(1, size) }, (_, index) => messageOf(this.count + index));
    const body = JSON.stringify(batch.length === 1 ? batch[0] : batch);
    const answer = await append(this.#url, body, JSON_TYPE);
    if (answer.status !== 204) throw new Error(`POST ${this.#url} was ${answer.status}`);
    this.count += batch.length;
    this.countAt.set(nextOffset(answer), this.count);
  }
}

/** Follows the stream and holds every message against the one that must come next. */
class CheckingReader {
  readonly follower: SseFollower;
  readonly #countAt: ReadonlyMap<string, number>;
  /** Where a reader from `now` began, by its first `control`. */
  #began: string | undefined;
  #next: number | undefined;
  #waiting: (() => void)[] = [];

  constructor(url: string, offset: string, countAt: ReadonlyMap<string, number>) {
    this.follower = new SseFollower(url, offset);
    this.#countAt = countAt;
    this.#began = offset === "now" ? undefined : offset;
  }

  /** The id of the message that must come next; unknown as long as the writer has not heard of that offset itself. */
  get next(): number | undefined {
    return (this.#next ??= this.#began === "-1" ? 0 : this.#countAt.get(this.#began ?? ""));
  }

  async run(): Promise<void> {
    for await (const { payload, control } of this.follower.batches()) {
      this.#began ??= control.streamNextOffset;
      for (const message of payload === undefined ? [] : (JSON.parse(payload) as { id: number; pad: string }[])) {
        const expected = messageOf(this.next ?? -1);
        if (message.id !== expected.id) throw new Error(`message ${message.id} came instead of ${expected.id}`);
        if (message.pad !== expected.pad) throw new Error(`message ${message.id} is damaged`);
        this.#next = expected.id + 1;
      }
      for (const resolve of this.#waiting.splice(0)) resolve();
    }
  }

  async hasRead(count: number): Promise<void> {
    while ((this.next ?? -1) < count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

it("[SS22] 500 SSE readers each get every message once, in order, data and control in one chunk, across reconnects", async () => {
  const url = `${server.url}/v1/stream/many`;
  await create(url, { headers: JSON_TYPE });
  const writer = new Writer(url);
  while (writer.count < EARLY) await writer.write();
  const middle = [...writer.countAt.keys()][3] ?? "";
  const starts = ["-1", "now", middle];
  const readers = Array.from(
    { length: READERS },
    (_, index) => new CheckingReader(url, starts[index % starts.length] ?? "", writer.countAt),
  );
  const running = Promise.all(readers.map((reader) => reader.run()));

  const writing = (async () => {
    for (let turn = 0; readers.some(({ follower }) => follower.responses < 2); turn += 1) {
      await writer.write();
      await readers[turn % READERS]?.hasRead(writer.count);
    }
    await send("POST", url, { headers: CLOSE });
  })();
  await Promise.race([running, writing]);
  await Promise.all([running, writing]);

  expect(readers.map(({ next }) => next)).toEqual(readers.map(() => writer.count));
  expect(writer.count).toBeGreaterThan(EARLY);
});
