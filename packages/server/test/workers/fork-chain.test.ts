import { parseConfig } from "@durable-streams-cloudflare/core/config";
import { RestOfRange, startAtBoundary } from "@durable-streams-cloudflare/http/client/paging";
import { SharedReads } from "@durable-streams-cloudflare/http/client/shared-reads";
import { StreamClient } from "@durable-streams-cloudflare/http/client/stream-client";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";

import { streamObjects } from "../../src/objects/stream-objects.ts";
import { append, content } from "./edge.ts";
import { EventReader } from "./events.ts";
import { Family, isBlank, put, fireAllAlarms, statusOf, tailOf, type Relative } from "./family.ts";

const DEPTH = 100;
/** Names as long as they may be: all of them together must fit wherever they travel. */
const PADDING = "%C3%BC".repeat(120);

describe(`a chain of ${DEPTH} forks, each with bytes of its own`, () => {
  const family = new Family({ LONG_POLL_TIMEOUT_MS: "5000" });
  const chain: Relative[] = [];
  const tails: string[] = [];
  const textOf = (level: number): string => `<${level}>`;
  const textUpTo = (level: number): string => Array.from({ length: level + 1 }, (_, index) => textOf(index)).join("");

  beforeAll(async () => {
    for (let level = 0; level <= DEPTH; level += 1) {
      const source = chain.at(-1);
      const name = `${level}${PADDING}`;
      const stream = source === undefined ? await family.create(name) : await family.fork(name, source);
      await append(stream, textOf(level));
      chain.push(stream);
      tails.push(await tailOf(stream));
    }
  });

  const last = (): Relative => chain[DEPTH] as Relative;

  it("[FK1] [FK11] is read from the beginning, and from every fork point", async () => {
    expect(await content(last())).toBe(textUpTo(DEPTH));
    for (const [level, tail] of tails.entries()) {
      if (level % 10 > 0) continue;
      const response = await last().fetch(`?offset=${tail}`);
      expect(await response.text()).toBe(textUpTo(DEPTH).slice(textUpTo(level).length));
    }
  });

  it("[FK14] has its sources' offsets up to each fork point, in order", async () => {
    expect(tails.toSorted()).toEqual(tails);
    for (const [level, tail] of tails.slice(0, -1).entries()) {
      const own = await (chain[level + 1] as Relative).fetch(`?offset=${tail}`);
      expect(await own.text()).toBe(textOf(level + 1));
    }
  });

  it("[FK18] [IN17] calls each owner of bytes once, and the fork itself once", async () => {
    const asked: string[] = [];
    const streams = new Proxy(env.STREAMS, {
      get: (target, key) => {
        if (key !== "getByName") return Reflect.get(target, key) as unknown;
        return (name: string) => {
          asked.push(name);
          return target.getByName(name);
        };
      },
    });
    const reader = {
      stream: new StreamClient(
        streamObjects(streams, (name) => name),
        last().name,
      ),
      segments: undefined,
      reads: new SharedReads(false),
      keepAlive: () => undefined,
      config: parseConfig({}),
    };
    const reading = await startAtBoundary(reader, { from: { kind: "start" }, ifNoneMatch: null, paging: "bytes" });
    if (!reading.ok) throw new Error(reading.problem.code);
    const rest = new RestOfRange(reader, reading);
    for (let position = reading.result.page.length; position < reading.result.to;)
      position += (await rest.next(position)).length;
    expect(new Set(asked).size).toBe(DEPTH + 1);
    expect(asked.length).toBeLessThanOrEqual(DEPTH + 2);
  });

  it.each([-1, 0, 50, 99])(
    "[SS19] [LP9] is read live from the boundary after level %i, without a gap or a repetition",
    async (level) => {
      const from = level < 0 ? "-1" : tails[level];
      const rest = textUpTo(DEPTH).slice(level < 0 ? 0 : textUpTo(level).length);
      const poll = await last().fetch(`?offset=${from}&live=long-poll`);
      expect(await poll.text()).toBe(rest);
      expect(poll.headers.get("Stream-Next-Offset")).toBe(tails[DEPTH]);
      const events = new EventReader(await last().fetch(`?offset=${from}&live=sse`));
      let text = "";
      for (let event = await events.next(); text.length < rest.length; event = await events.next())
        if (event?.type === "data") text += event.data;
      await events.cancel();
      expect(text).toBe(rest);
    },
  );

  it("[LP9] wakes a reader who waits at its tail", async () => {
    const fork = await family.fork("waiting", last());
    const waiting = fork.fetch(`?offset=${tails[DEPTH]}&live=long-poll`);
    const events = new EventReader(await fork.fetch(`?offset=${tails[DEPTH]}&live=sse`));
    await events.take(1);
    await append(fork, "!");
    expect(await (await waiting).text()).toBe("!");
    expect((await events.take(2))[0]).toBe("data:!");
    await events.cancel();
    await statusOf(fork, "DELETE");
    await fireAllAlarms([fork]);
  });

  it("[FK11] [FK12] keeps every byte when its middle and its root are deleted, and leaves none at its end", async () => {
    const [root] = chain;
    if (root === undefined) throw new Error("There is no root.");
    expect(await statusOf(chain[50] as Relative, "DELETE")).toBe(204);
    expect(await statusOf(root, "DELETE")).toBe(204);
    expect(await content(last())).toBe(textUpTo(DEPTH));
    expect((await put(root, { "Content-Type": "text/plain" })).status).toBe(409);
    for (const stream of chain) await statusOf(stream, "DELETE");
    // Each lets go of the one before it.
    for (const stream of chain.toReversed()) await fireAllAlarms([stream]);
    await fireAllAlarms(chain);
    expect(await Promise.all(chain.map(isBlank))).toEqual(chain.map(() => true));
    expect((await put(root, { "Content-Type": "text/plain" })).status).toBe(201);
    await statusOf(root, "DELETE");
  });
});
