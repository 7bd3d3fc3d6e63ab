import { assertProperty } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";

import { fateOf } from "../../src/scenarios/appends.ts";
import { AppendWorld, randomOf } from "../../src/worlds/append-world.ts";
import { SimClock } from "../../src/worlds/sim-clock.ts";

const seeds = fc.integer({ min: 1, max: 2 ** 30 });
/** More than any timer of the edge. */
const REST_MS = 60_000;

afterEach(() => SimClock.uninstall());

/** Clients that send whatever the answers to others do. */
async function openLoop(world: AppendWorld, perSecond: number, forMs: number, random: () => number): Promise<void> {
  let due = 0;
  for (let ms = 0; ms < forMs; ms += 1) {
    due += perSecond / 1000;
    for (; due >= 1; due -= 1) void world.append(Math.floor(random() * 1_000));
    await world.clock.advance(1);
  }
  await world.clock.advance(REST_MS);
}

/** Clients that send their next append when the last one is answered. */
async function closedLoop(world: AppendWorld, writers: number, rounds: number): Promise<void> {
  const all = Array.from({ length: writers }, async (_, writer) => {
    for (let round = 0; round < rounds; round += 1) await world.append(writer);
  });
  await world.clock.advance(REST_MS);
  await Promise.all(all);
}

/** Every commit takes 10 ms, and one of them 1.5 s. */
function oneStall(): (nowMs: number) => number {
  let commits = 0;
  return () => {
    commits += 1;
    return commits === 100 ? 1_500 : 10;
  };
}

const CLEAN = { twice: 0, lost: 0, refusedButStored: 0 };

describe("[AP15] no append is stored twice, and none that was refused is stored, while the disk is slow", () => {
  it.each([4_000, 6_000])(
    "at %i appends a second from 40 isolates, when one commit takes 1.5 s",
    async (perSecond) => {
      const property = fc.asyncProperty(seeds, async (seed) => {
        const world = new AppendWorld({ isolates: 40, seed, commitMs: oneStall() });
        await world.create();
        await openLoop(world, perSecond, 4_000, randomOf(seed));
        expect(world.told).toHaveLength(perSecond * 4);
        expect(world.verdict()).toMatchObject(CLEAN);
      });
      await assertProperty(`open loop at ${perSecond}/s`, property, 2);
    },
    600_000,
  );

  it("from 6,144 writers that wait for their answers, when commits take 150 ms", async () => {
    const property = fc.asyncProperty(seeds, async (seed) => {
      const world = new AppendWorld({ isolates: 48, seed, commitMs: () => 150 });
      await world.create();
      await closedLoop(world, 6_144, 3);
      expect(world.told).toHaveLength(6_144 * 3);
      expect(world.verdict()).toMatchObject(CLEAN);
    });
    await assertProperty("closed loop of 6,144", property, 2);
  }, 600_000);
});

describe("[AP15] [IN3] no append is stored twice, and none that was refused is stored, while the network and the object fail", () => {
  it("with resets, a queue that overflows, and segments that leave for R2", async () => {
    let refused = 0;
    const property = fc.asyncProperty(seeds, async (seed) => {
      const random = randomOf(seed);
      const limits = { pendingAppendsMax: 12, segmentBytes: 4_096, segmentBytesMin: 1 };
      const world = new AppendWorld({ isolates: 8, seed, commitMs: () => 5 + random() * 60, fate: fateOf, limits });
      await world.create();
      for (let second = 0; second < 6; second += 1) {
        for (let ms = 0; ms < 1_000; ms += 1) {
          if (random() < 0.5) void world.append(Math.floor(random() * 8));
          if (random() < 0.002) world.crash();
          if (ms % 100 === 0) void world.fireAlarmWhenDue();
          await world.clock.advance(1);
        }
      }
      for (let second = 0; second < REST_MS / 1_000; second += 1) {
        void world.fireAlarmWhenDue();
        await world.clock.advance(1_000);
        await world.alarmRests();
      }
      expect(world.verdict()).toMatchObject(CLEAN);
      expect(world.verdict().stored).toBeGreaterThan(900);
      expect(world.faults).toEqual([]);
      expect(world.segmentCount).toBeGreaterThan(0);
      refused += world.verdict().refused;
    });
    await assertProperty("appends among failures", property, 5, () => expect(refused).toBeGreaterThan(0));
  }, 600_000);

  it.each([-3_600_000, 3_600_000])(
    "with a clock that jumps by %i ms",
    async (jumpMs) => {
      const property = fc.asyncProperty(seeds, async (seed) => {
        const random = randomOf(seed);
        const world = new AppendWorld({ isolates: 8, seed, commitMs: () => 20, fate: fateOf });
        await world.create();
        for (let ms = 0; ms < 3_000; ms += 1) {
          if (random() < 0.5) void world.append(Math.floor(random() * 8));
          if (ms === 1_500) world.clock.jumpMs += jumpMs;
          await world.clock.advance(1);
        }
        await world.clock.advance(REST_MS);
        expect(world.verdict()).toMatchObject(CLEAN);
        expect(world.verdict().stored).toBeGreaterThan(1_000);
      });
      await assertProperty(`a clock that jumps by ${jumpMs} ms`, property, 3);
    },
    600_000,
  );
});
