import { appendOf, createOf } from "@durable-streams-cloudflare/core/test/stream-fixture";
import { utf8 } from "@durable-streams-cloudflare/testkit";
import { settled, FakeSegmentStore } from "@durable-streams-cloudflare/testkit/node-host";
import { describe, expect, it } from "vitest";

import { readerOf, readText } from "../../src/drivers/cold-reader.ts";
import { StreamWorld } from "../../src/worlds/stream-world.ts";
import { ignoreLost } from "../../src/worlds/world.ts";

const LIMITS = { segmentBytes: 20, segmentBytesMin: 5 };

describe("a crash, a lost message or a second alarm at any step", () => {
  /** Runs one roll; after so many steps something happens. Returns whether there were that many steps. */
  async function rollUntil(
    world: StreamWorld,
    steps: number,
    disaster: (world: StreamWorld) => Promise<void>,
  ): Promise<boolean> {
    let isOver = false;
    // Hashing takes its own time.
    const nextStep = async (): Promise<void> => {
      while (world.heldCount === 0 && !isOver) await settled();
    };
    world.isHeld = true;
    void world
      .fireAlarm("p/s")
      .catch(ignoreLost)
      .finally(() => (isOver = true));
    await nextStep();
    for (let step = 0; step < steps && !isOver; step += 1) {
      await world.release(0, "arrives");
      await nextStep();
    }
    const isReached = !isOver;
    if (isReached) await disaster(world);
    await world.releaseAll();
    await world.alarmsRest();
    return isReached;
  }

  const DISASTERS: Record<string, (world: StreamWorld) => Promise<void>> = {
    crash: async (world) => world.crash("p/s"),
    loss: async (world) => world.release(0, "lost"),
    // The runtime fires only one alarm at a time, but gives up one that takes too long.
    "a second alarm": async (world) => {
      world.nowMs += 60_000;
      const { heldCount } = world;
      let isOver = false;
      const second = world
        .stream("p/s")
        .alarm()
        .finally(() => (isOver = true));
      while (!isOver) {
        await settled();
        if (world.heldCount > heldCount) await world.release(heldCount, "arrives");
      }
      await second;
    },
    "removal and a new stream": async (world) => {
      const removing = world.stream("p/s").remove();
      await world.releaseAll();
      expect(await removing).toMatchObject({ ok: true });
      await world.stream("p/s").create(createOf({ bytes: utf8("new") }));
    },
  };

  it.each(Object.keys(DISASTERS))("[TI3] (%s) loses no byte, and leaves no object", async (name) => {
    const disaster = DISASTERS[name] as (world: StreamWorld) => Promise<void>;
    let reached = 0;
    for (let steps = 0; ; steps += 1) {
      const segments = new FakeSegmentStore();
      const world = new StreamWorld({ segments, ...LIMITS });
      await world.stream("p/s").create(createOf());
      await world.stream("p/s").append(appendOf("x".repeat(20)));
      const isReached = await rollUntil(world, steps, disaster);
      await world.fireAllAlarms(world.nowMs + 1_000_000);
      const { text } = await readText(readerOf("p/s", (of) => world.stream(of), segments));
      expect(["x".repeat(20), "new", "stream-not-found"]).toContain(text);
      expect(segments.objects.size).toBe(text.startsWith("x") ? 1 : 0);
      await world.stream("p/s").remove();
      await world.fireAllAlarms();
      expect([...segments.objects.keys()]).toEqual([]);
      expect(world.leftovers("p/s")).toEqual([]);
      if (!isReached) break;
      reached += 1;
    }
    expect(reached).toBeGreaterThanOrEqual(2);
  });
});
