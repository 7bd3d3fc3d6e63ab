/** Sessions whose source is deleted and made anew, again and again, while messages get lost and objects crash. */
import type { LinkFormat } from "@durable-streams-cloudflare/core/contracts/fan-out";
import { appendOf, createOf } from "@durable-streams-cloudflare/core/test/stream-fixture";
import type { Result } from "@durable-streams-cloudflare/protocol";
import { assertProperty } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { expect, it } from "vitest";

import { START } from "../../src/drivers/fan-out-clients.ts";
import { numbersFrom } from "../../src/numbers.ts";
import { FanOutWorld } from "../../src/worlds/fan-out-world.ts";
import { Lost } from "../../src/worlds/world.ts";

const SOURCE = "p/chat";
const SESSIONS = ["p/a", "p/b", "p/c"];
const LIVES = 5;
/** What each life of the source gets after all have subscribed. */
const MESSAGES = 2;
const TTL_SECONDS = 1_000_000;
/** Longer than a link that has failed again and again waits for its next try. */
const SETTLE_MS = 660_000;

/** Asks until there is an answer. */
async function insist<Value>(ask: () => Promise<Result<Value>>, isGood: (code: string) => boolean = () => false) {
  for (;;) {
    try {
      const result = await ask();
      if (result.ok || isGood(result.problem.code)) return;
      if (result.problem.code !== "unavailable") throw new Error(`${result.problem.code}: ${result.problem.detail}`);
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
    }
  }
}

/** A source lives, and all follow it, and is deleted before anybody knows what they have got. */
async function live(world: FanOutWorld, format: LinkFormat, life: number): Promise<void> {
  const isLast = life === LIVES - 1;
  await insist(() => world.askStream(SOURCE, (stream) => stream.create(createOf())));
  await Promise.all(
    SESSIONS.map((session) =>
      insist(async () => {
        const command = { sources: [SOURCE], format, from: START, ttlSeconds: TTL_SECONDS };
        const subscribed = await world.askEstuary(session, (estuary) => estuary.subscribe(command));
        return subscribed.ok ? (subscribed.results[0] ?? subscribed) : subscribed;
      }),
    ),
  );
  for (let nth = 0; nth < MESSAGES; nth += 1) {
    const command = appendOf(`${life}.${nth};`, { producer: { id: "p", epoch: 0, seq: nth } });
    await insist(() => world.askStream(SOURCE, (stream) => stream.append(command)));
  }
  if (!isLast)
    await insist(
      () => world.askStream(SOURCE, (stream) => stream.remove()),
      (code) => code.startsWith("stream-"),
    );
}

it.each<LinkFormat>(["raw", "envelope"])(
  "[IN14] [FO6] a session of format %s has everything of the newest, nothing twice, and everything in order",
  async (format) => {
    const property = fc.asyncProperty(fc.integer({ min: 1 }), async (seed) => {
      const number = numbersFrom(seed);
      const next = (): number => number() % 1_000;
      const world = new FanOutWorld();
      let isDone = false;
      world.isHeld = true;
      const lives = (async () => {
        for (let life = 0; life < LIVES; life += 1) await live(world, format, life);
      })().finally(() => (isDone = true));
      lives.catch(() => undefined);
      while (!isDone) {
        const [at, what] = [next(), next()];
        if (what < 5) world.crash(world.keys[at % world.keys.length] ?? "stream:p/chat");
        else if (what < 300) await world.fireNextAlarm(world.nowMs + 3_000);
        else await world.release(at, what < 330 ? "lost" : what < 350 ? "late" : "arrives");
      }
      await lives;
      await world.releaseAll();
      await world.fireAlarmsUntil(world.nowMs + SETTLE_MS);
      expect(world.reports).toEqual([]);
      for (const session of SESSIONS) {
        const held = (world.content(session) ?? "").match(/\d\.\d;/g) ?? [];
        expect(held).toEqual([...new Set(held)].toSorted());
        expect(held).toEqual(expect.arrayContaining([`${LIVES - 1}.0;`, `${LIVES - 1}.1;`]));
      }
    });
    await assertProperty(`recreated sources, ${format}`, property, 8);
  },
);
