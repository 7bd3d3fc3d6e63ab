import { expect, it } from "vitest";

import { SubscriptionDriver } from "../../src/drivers/subscription-driver.ts";
import { installSimCrypto } from "../../src/worlds/sim-crypto.ts";

/**
 * Wake 1 is due for one event when another one is appended to the same stream, and the notification of that is lost. The
 * stream repeats it only after the webhook has dealt with wake 1: so there is a wake 2.
 */
async function twoWakes(): Promise<SubscriptionDriver> {
  const driver = new SubscriptionDriver("webhook");
  const { world } = driver;
  await driver.begin();
  driver.append(1, 0);
  await world.releaseAll();
  world.isHeld = true;
  driver.append(1, 0);
  await world.release(0, "arrives");
  expect(world.calls.at(-1)).toMatchObject({ method: "notify" });
  await world.release(0, "lost");
  await driver.settle();
  expect(world.calls.filter(({ method }) => method === "take")).toHaveLength(2);
  return driver;
}

async function withSimCrypto(test: () => Promise<void>): Promise<void> {
  const restore = installSimCrypto();
  try {
    await test();
  } finally {
    restore();
  }
}

it("a stream that has grown since the wake before is a cause of another wake", () =>
  withSimCrypto(async () => {
    const { faults } = await twoWakes();
    expect(faults).toEqual([]);
  }));

it("wakes for what was processed before have no cause", () =>
  withSimCrypto(async () => {
    const driver = await twoWakes();
    const described = await driver.world.askSubscription((consumer) => consumer.describe());
    const tail = described.ok ? (described.subscription.streams.find(({ path }) => path === "e/1")?.tail ?? "") : "";
    const acked = `${tail.slice(0, 16)}_${"0".repeat(16)}`;
    const stream = { path: "e/1", link_type: "glob", acked_offset: acked, tail_offset: tail, has_pending: true };
    for (const generation of [3, 4]) {
      const wakes = { subscription_id: "sub", wake_id: `w_${generation}`, generation, streams: [stream] };
      driver.world.onWebhook({ ...wakes, callback_url: "", callback_token: "" });
    }
    await driver.settle();
    expect(driver.faults).toEqual(["3 causes made 4 wakes."]);
  }));
