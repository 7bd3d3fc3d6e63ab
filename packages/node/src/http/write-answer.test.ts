import type { ServerResponse } from "node:http";
import { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import type { Answer } from "@durable-streams-cloudflare/http/answers/answer";
import { PagedBody } from "@durable-streams-cloudflare/http/answers/paged-body";
import { PushedBody, type PieceSink } from "@durable-streams-cloudflare/http/answers/pushed-body";
import { expect, it } from "vitest";

import { writeAnswer as writeAnswerThen } from "./write-answer.ts";

setFlagsFromString("--expose-gc");
const runGc = runInNewContext("gc") as () => void;

/** The client's end of a connection. */
class Client extends Writable {
  readonly taken: number[] = [];
  head: readonly string[] = [];
  writeHead(_status: number, head: readonly string[]): void {
    this.head = head;
  }
  flushHeaders(): void {}
  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.taken.push(chunk.length);
    setImmediate(done);
  }
}

/** Resolves when the answer is written. */
function writeAnswer(response: ServerResponse, answer: Answer, isHead: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    writeAnswerThen(response, answer, isHead, resolve)?.catch(reject);
  });
}

const responseOf = (client: Client): ServerResponse => client as unknown as ServerResponse;

/** A body of so many parts, which then waits, as an event stream does. */
function waitingBody(parts: number) {
  const made: WeakRef<Uint8Array>[] = [];
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        if (made.length === parts) return new Promise<void>(() => undefined);
        const part = new Uint8Array(100_000);
        made.push(new WeakRef(part));
        controller.enqueue(part);
        return undefined;
      },
      cancel: () => void (isCancelled = true),
    },
    { highWaterMark: 0 },
  );
  return { body, made, isCancelled: () => isCancelled };
}

it("what a client has taken is kept no longer, however long its answer lasts", async () => {
  const client = new Client();
  const { body, made, isCancelled } = waitingBody(20);
  const written = writeAnswer(responseOf(client), { status: 200, headers: {}, body }, false);
  await expect.poll(() => client.taken.length).toBe(20);
  await expect
    .poll(() => {
      runGc();
      return made.filter((part) => part.deref() !== undefined).length;
    })
    .toBeLessThan(3);
  client.destroy();
  await written;
  expect(isCancelled()).toBe(true);
});

it("the body of a client that has gone already is let go of", async () => {
  const client = new Client();
  client.destroy();
  const { body, isCancelled } = waitingBody(1);
  await writeAnswer(responseOf(client), { status: 200, headers: {}, body }, false);
  expect(isCancelled()).toBe(true);
});

/** A body of the pages 1, 2 and 3, all of them in the same memory. */
function reusingBody(pageBytes = 1) {
  const memory = new Uint8Array(pageBytes);
  const cancelled = Promise.withResolvers<void>();
  let asked = 0;
  const body = new PagedBody({
    bytes: 3 * pageBytes,
    next: async () => {
      asked += 1;
      return asked > 3 ? undefined : memory.fill(asked);
    },
    cancel: () => cancelled.resolve(),
    reusesMemory: true,
  });
  return { body, cancelled: cancelled.promise, asked: () => asked };
}

it("a page is made only when the system has taken the one before, which may lie in the same memory", async () => {
  const client = new Client();
  const seen: number[] = [];
  client._write = (chunk: Uint8Array, _encoding, done) => {
    setImmediate(() => {
      seen.push(chunk[0] ?? 0);
      done();
    });
  };
  const { body, asked } = reusingBody();
  await writeAnswer(responseOf(client), { status: 200, headers: {}, body }, false);
  expect([seen, asked()]).toEqual([[1, 2, 3], 4]);
  expect(client.head.slice(-2)).toEqual(["Content-Length", "3"]);
});

it("of a client that takes nothing one page is made, and the body is let go of when it disconnects", async () => {
  const client = new Client();
  const taken = Promise.withResolvers<void>();
  client._write = () => taken.resolve();
  const { body, cancelled, asked } = reusingBody();
  const written = writeAnswer(responseOf(client), { status: 200, headers: {}, body }, false);
  await taken.promise;
  expect(asked()).toBe(1);
  client.destroy();
  await Promise.all([written, cancelled]);
  expect(asked()).toBe(1);
});

it("a body that is shorter than it said cuts the connection, so that no client waits for the rest", async () => {
  const client = new Client();
  const pages = [new Uint8Array(2), undefined];
  const body = new PagedBody({
    bytes: 3,
    next: async () => pages.shift(),
    cancel: () => undefined,
    reusesMemory: false,
  });
  await writeAnswer(responseOf(client), { status: 200, headers: {}, body }, false);
  expect([client.destroyed, client.writableEnded]).toEqual([true, false]);
});

it("a body that fails midway cuts the connection", async () => {
  const client = new Client();
  const body = new PagedBody({
    bytes: 1,
    next: () => Promise.reject(new Error("The log has a gap.")),
    cancel: () => undefined,
    reusesMemory: false,
  });
  await writeAnswer(responseOf(client), { status: 200, headers: {}, body }, false);
  expect([client.destroyed, client.writableEnded]).toEqual([true, false]);
});

/** A body that sends what the test tells it to. */
function pushedBody(bytesMax: number) {
  let sink: PieceSink | undefined;
  const calls = { pulls: 0, cancels: 0 };
  const source = {
    start: (given: PieceSink) => void (sink = given),
    pull: () => {
      calls.pulls += 1;
      return undefined;
    },
    cancel: () => void (calls.cancels += 1),
  };
  return { body: new PushedBody(source, bytesMax), calls, sink: () => sink as PieceSink };
}

it("pieces are written as they come, and whoever sends them learns when there is room again", async () => {
  const client = new Client();
  const { body, calls, sink } = pushedBody(5);
  let isWritten = false;
  const written = writeAnswer(responseOf(client), { status: 200, headers: {}, body }, false).then(
    () => (isWritten = true),
  );
  expect(calls.pulls).toBe(1);
  sink().enqueue(new Uint8Array(7));
  expect(sink().desiredSize).toBe(-2);
  await expect.poll(() => calls.pulls).toBe(2);
  expect([sink().desiredSize, client.taken]).toEqual([5, [7]]);
  expect(isWritten).toBe(false);
  sink().close();
  await written;
  await finished(client);
  expect(client.writableFinished).toBe(true);
});

it("who sends pieces is told when the client disconnects, also before the first one", async () => {
  const client = new Client();
  const one = pushedBody(5);
  const written = writeAnswer(responseOf(client), { status: 200, headers: {}, body: one.body }, false);
  client.destroy();
  await written;
  expect(one.calls.cancels).toBe(1);
  const other = pushedBody(5);
  await writeAnswer(responseOf(client), { status: 200, headers: {}, body: other.body }, false);
  expect([other.calls.cancels, other.sink()]).toEqual([1, undefined]);
});
