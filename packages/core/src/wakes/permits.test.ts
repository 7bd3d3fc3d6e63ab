import { beforeEach, describe, expect, it } from "vitest";

import { WakeFixture, PULL } from "../../test/wake-fixture.ts";

let world: WakeFixture;

beforeEach(async () => {
  world = new WakeFixture();
  world.webhook = () => ({ status: 200, text: '{"done":true}' });
  await world.create();
});

const NONE = { granted: 0, waitMs: 3_000, mustProve: false };

async function deliver(times: number): Promise<void> {
  for (let count = 0; count < times; count += 1) {
    await world.append("a");
    await world.pass(0);
  }
}

describe("[WH15] webhooks need permits of their project", () => {
  it("which come several at a time, for the URL's host", async () => {
    await deliver(16);
    expect(world.sent).toHaveLength(16);
    expect(world.asked).toEqual(["worker.shop.com", "worker.shop.com"]);
  });

  it("which expire after half a minute, and with a restart", async () => {
    await deliver(1);
    await world.pass(30_000);
    await deliver(1);
    world.restart();
    await deliver(1);
    expect(world.asked).toHaveLength(3);
  });

  it("and wait for them without counting an attempt, longer and longer, also across restarts", async () => {
    world.grant = () => NONE;
    await world.append("a");
    for (let step = 0; step < 300; step += 1) {
      await world.pass(1_000);
      world.restart();
    }
    expect(world.sent).toEqual([]);
    expect(world.asked.length).toBeLessThan(12);
    expect(await world.consumer.deliveries()).toMatchObject({
      attempts: [],
      isLimited: true,
      nextAttemptAtMs: expect.any(Number) as number,
    });
  });

  it("and are sent once permits are available again, and count failures from zero", async () => {
    world.grant = () => NONE;
    await world.append("a");
    await world.pass(20_000);
    world.grant = () => ({ granted: 1, waitMs: 0, mustProve: false });
    await world.pass(60_000);
    expect(world.sent).toHaveLength(1);
    expect(await world.acked("a")).toBe(world.tail("a"));
    expect(await world.consumer.deliveries()).toMatchObject({ isLimited: false, nextAttemptAtMs: null });
  });

  it("one for each attempt, so failures use them up as well", async () => {
    world.webhook = () => ({ status: 500, text: "" });
    world.grant = () => ({ granted: 1, waitMs: 0, mustProve: false });
    await world.append("a");
    await world.pass(60_000);
    expect(world.asked.length).toBe(world.sent.length);
    expect(world.sent.length).toBeGreaterThan(4);
  });

  it("but a project that does not answer limits nobody", async () => {
    world.grant = () => {
      throw new Error("The project does not answer.");
    };
    await deliver(3);
    expect(world.sent).toHaveLength(3);
  });
});

it("a wake that is written into a stream needs none", async () => {
  const pull = new WakeFixture();
  pull.makeStream("wake");
  await pull.create(PULL);
  await pull.append("a");
  await pull.pass(0);
  expect([pull.streams.get("wake")?.events.length, pull.asked]).toEqual([1, []]);
});
