import type { ServerResponse } from "node:http";
import { Writable } from "node:stream";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { expect, it } from "vitest";

import { writeAnswer } from "./write-answer.ts";

setFlagsFromString("--expose-gc");
const runGc = runInNewContext("gc") as () => void;

/** The client's end of a connection. */
class Client extends Writable {
  readonly taken: number[] = [];
  writeHead(): void {}
  flushHeaders(): void {}
  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.taken.push(chunk.length);
    setImmediate(done);
  }
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
