/** What a live read keeps in memory while nothing happens. */

import { once } from "node:events";
import { connect } from "node:net";
import { queryObjects, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { expect, it, onTestFinished } from "vitest";

import { createServer } from "../create-server.ts";

setFlagsFromString("--expose-gc");
const runGc = runInNewContext("gc") as () => void;

const READERS = 50;

/** Of each class, how many objects there are. */
function counts(classes: readonly (abstract new (...parameters: never[]) => object)[]): number[] {
  runGc();
  return classes.map((each) => queryObjects(each as never, { format: "count" }));
}

it("an idle SSE reader keeps a few promises and timers of its session, and none for its request or its connection", async () => {
  const server = await createServer({
    storage: { mode: "memory" },
    port: 0,
    settings: { AUTH_MODE: "none", TENANCY: "single", LOG_LEVEL: "off" },
  });
  onTestFinished(() => server.close(0));
  const { port } = new URL(server.url);
  const request = (line: string): string => `${line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`;
  const open = async (line: string): Promise<void> => {
    const socket = connect(Number(port), "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    socket.write(request(line));
    await once(socket, "data");
  };
  await open("PUT /v1/stream/x");
  const read = "GET /v1/stream/x?offset=-1&live=sse";
  // What the first one has made for all is not counted.
  await open(read);
  const timer = setTimeout(() => undefined, 0).unref();
  const Timer = timer.constructor as new () => object;
  const before = counts([Promise, Timer]);
  for (let count = 0; count < READERS; count += 1) await open(read);
  const after = counts([Promise, Timer]);
  const each = after.map((count, index) => Math.round((count - (before[index] ?? 0)) / READERS));
  const [promises = Infinity, timers = Infinity] = each;
  expect(promises).toBeLessThanOrEqual(6);
  expect(timers).toBeLessThanOrEqual(3);
});
