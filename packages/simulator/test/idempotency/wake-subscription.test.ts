import { WakeFixture } from "@durable-streams-cloudflare/core/test/wake-fixture";

import { prove, type Proofs } from "../../src/idempotency/proofs.ts";

/** A subscription whose pattern matches a stream. */
async function begin() {
  const world = new WakeFixture();
  world.makeStream("a");
  world.listed.push("a");
  await world.create({ pattern: "*", streams: [] });
  await world.pass(1_000);
  return {
    world,
    incarnation: world.streams.get("a")?.incarnation ?? 0,
    makeAnew: async (): Promise<void> => {
      await world.discover("a", true);
      world.makeStream("a");
      await world.discover("a");
      await world.pass(1_000);
    },
    outcome: async (): Promise<unknown> => {
      await world.pass(1_000);
      return { described: await world.consumer.describe(), sent: world.sent.map(({ body }) => body.streams) };
    },
  };
}

const proofs: Proofs<"consumer"> = {
  notify: async () => {
    const { world, incarnation, makeAnew, outcome } = await begin();
    world.streams.get("a")?.appendedAtMs.push((world.nowMs += 1));
    const notification = { stream: "a", incarnation, tail: world.tail("a") };
    return { send: () => world.consumer.notify(notification), replace: makeAnew, outcome };
  },
  discover: async () => {
    const { world, incarnation, makeAnew, outcome } = await begin();
    world.streams.delete("a");
    return {
      send: () => world.consumer.discover({ stream: "a", incarnation, hasEnded: true }),
      replace: makeAnew,
      outcome,
    };
  },
};

prove("consumer", proofs);
