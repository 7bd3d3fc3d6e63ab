import { parseConfig } from "@durable-streams-cloudflare/core/config";
import { KEEP_ALL } from "@durable-streams-cloudflare/protocol";
import { expect, it, onTestFinished, vi } from "vitest";

import { ObjectHost } from "../../objects/object-host.ts";
import { openStorage } from "../open-storage.ts";
import { registryIn } from "../registry-rows.ts";
import { Turns } from "./turns.ts";

it("a turn ends once for all who wait for its end, and the next one has another number", async () => {
  const turns = new Turns();
  const { number } = turns;
  const end = turns.end();
  expect([turns.number, turns.end()]).toEqual([number, end]);
  await end;
  expect(turns.number).toBe(number + 1);
});

/** A stream in the mode `memory`, and how many commits it has made. */
async function memoryStream() {
  const config = parseConfig({ AUTH_MODE: "none", TENANCY: "single", LOG_LEVEL: "off" });
  const storage = openStorage({ mode: "memory" }, { fire: (due) => objects.fire(due), onFatal: () => undefined });
  const objects = new ObjectHost({ storage, config, registry: registryIn(storage.first), send: fetch });
  onTestFinished(() => storage.close());
  const stream = objects.peers.streams.getByName("p/s");
  const bytes = new TextEncoder().encode("x");
  const contentType = "text/plain";
  const created = { contentType, lifetime: { kind: "forever" }, retention: KEEP_ALL, closed: false } as const;
  await stream.create({ ...created, bytes: new Uint8Array() });
  await new Promise(setImmediate);
  const run = vi.spyOn(storage.first.database, "run");
  onTestFinished(() => run.mockRestore());
  return { append: () => stream.append({ bytes, contentType, close: false }), commits: () => run.mock.calls.length };
}

/** As between two sockets that have something to read in one turn of the loop. */
async function untilNothingIsLeft(): Promise<void> {
  for (let count = 0; count < 100; count += 1) await Promise.resolve();
}

it("in memory, appends that arrive in one turn share commits", async () => {
  const { append, commits } = await memoryStream();
  const appends: ReturnType<typeof append>[] = [];
  for (let turn = 0; turn < 4; turn += 1) {
    for (let count = 0; count < 16; count += 1) {
      appends.push(append());
      await untilNothingIsLeft();
    }
    await new Promise(setImmediate);
  }
  expect((await Promise.all(appends)).map((result) => result.ok && result.tail)).toHaveLength(64);
  expect(commits()).toBeLessThanOrEqual(8);
});

it("in memory, an append that arrives alone is answered in its turn", async () => {
  const { append } = await memoryStream();
  for (let turn = 0; turn < 4; turn += 1) {
    let isAnswered = false;
    void append().then(() => (isAnswered = true));
    await untilNothingIsLeft();
    expect(isAnswered).toBe(true);
    await new Promise(setImmediate);
  }
});
