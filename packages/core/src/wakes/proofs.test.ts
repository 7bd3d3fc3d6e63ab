import { beforeEach, describe, expect, it } from "vitest";

import { WakeFixture, WAKE_START_MS, PULL, type Notification } from "../../test/wake-fixture.ts";

interface Challenge {
  readonly type: "webhook.challenge";
  readonly subscription_id: string;
  readonly challenge: string;
}

let world: WakeFixture;
/** Whether the webhook's owner wants to be sent wakes. */
let isWilling = true;

const isChallenge = (body: unknown): body is Challenge =>
  typeof body === "object" && body !== null && "type" in body && body.type === "webhook.challenge";
const challenges = () => world.sent.filter(({ body }) => isChallenge(body));
const wakes = () => world.sent.filter(({ body }) => !isChallenge(body));

function answer(body: Notification | Challenge) {
  if (!isChallenge(body)) return { status: 200, text: '{"done":true}' };
  return { status: 200, text: isWilling ? JSON.stringify({ challenge: body.challenge }) : "{}" };
}

async function proof() {
  const described = await world.consumer.describe();
  return described.ok ? described.subscription.proof : undefined;
}

beforeEach(() => {
  world = new WakeFixture();
  isWilling = true;
  world.webhook = answer;
  world.grant = () => ({ granted: 8, waitMs: 0, mustProve: true });
});

describe("[WH13] a webhook's URL, of which the project demands a proof,", () => {
  it("is sent a signed challenge as soon as the subscription is made, and wakes once it has answered", async () => {
    await world.create();
    expect(await proof()).toMatchObject({ isProven: false });
    await world.pass(0);
    expect(world.sent).toHaveLength(1);
    expect(world.sent[0]?.body).toEqual({
      type: "webhook.challenge",
      subscription_id: "sub",
      challenge: expect.stringMatching(/^.{43}$/) as string,
    });
    expect(world.sent[0]?.request.signature).toMatch(/^t=\d+,kid=ds_test,ed25519=/);
    expect(await proof()).toEqual({ isProven: true, nextAttemptAtMs: null, error: null });
    await world.append("a");
    await world.pass(0);
    expect(wakes()).toHaveLength(1);
  });

  it("once is enough, also over restarts", async () => {
    await world.create();
    for (let count = 0; count < 5; count += 1) {
      await world.append("a");
      await world.pass(60_000);
      world.restart();
    }
    expect([challenges().length, wakes().length]).toEqual([1, 5]);
  });

  it.each<[string, WakeFixture["webhook"]]>([
    ["nothing", () => ({ status: 200, text: "" })],
    ["done, as to a wake", () => ({ status: 200, text: '{"done":true}' })],
    ["another challenge", () => ({ status: 200, text: '{"challenge":"x"}' })],
    ["the challenge without JSON", (body) => ({ status: 200, text: (body as unknown as Challenge).challenge })],
    ["the whole request", (body) => ({ status: 404, text: JSON.stringify(body) })],
    ["too late", () => Promise.reject(new Error("It took too long."))],
  ])("who answers %s is sent no wake, and challenges ever more seldom", async (_what, webhook) => {
    world.webhook = webhook;
    await world.create();
    await world.append("a");
    for (let hour = 0; hour < 24; hour += 1) {
      await world.pass(3_600_000);
      world.restart();
    }
    expect(wakes()).toEqual([]);
    const times = challenges().map(({ atMs }) => Math.round((atMs - WAKE_START_MS) / 1_000));
    expect(times.slice(0, 6)).toEqual([0, 1, 3, 7, 15, 31]);
    expect(times.length).toBeLessThan(40);
    expect(await proof()).toMatchObject({ isProven: false, error: expect.any(String) as string });
  });

  it("what was appended meanwhile is delivered as soon as it has answered", async () => {
    isWilling = false;
    await world.create();
    await world.append("a");
    await world.pass(120_000);
    isWilling = true;
    await world.pass(200_000);
    expect(wakes()).toHaveLength(1);
    expect(wakes()[0]?.atMs).toBe(challenges().at(-1)?.atMs);
    expect(await world.acked("a")).toBe(world.tail("a"));
  });

  it("a subscription that was made before the demand must answer, too, before its next wake", async () => {
    world.grant = () => ({ granted: 1, waitMs: 0, mustProve: false });
    await world.create();
    await world.append("a");
    await world.pass(0);
    expect([challenges().length, wakes().length, await proof()]).toEqual([0, 1, undefined]);
    world.grant = () => ({ granted: 1, waitMs: 0, mustProve: true });
    await world.append("a");
    await world.pass(10_000);
    expect([challenges().length, wakes().length]).toEqual([1, 2]);
  });

  it("nothing waits for the answer any more when the demand is taken back", async () => {
    isWilling = false;
    await world.create();
    await world.append("a");
    await world.pass(10_000);
    world.grant = () => ({ granted: 8, waitMs: 0, mustProve: false });
    await world.pass(600_000);
    expect(wakes()).toHaveLength(1);
    expect(await proof()).toBeUndefined();
  });

  it("a project that does not answer changes nothing", async () => {
    isWilling = false;
    await world.create();
    await world.append("a");
    world.grant = () => {
      throw new Error("The project does not answer.");
    };
    world.restart();
    await world.pass(600_000);
    expect(wakes()).toEqual([]);
  });

  it("a challenge needs a permit as a wake does", async () => {
    world.grant = () => ({ granted: 0, waitMs: 1_000, mustProve: true });
    await world.create();
    await world.pass(600_000);
    expect(world.sent).toEqual([]);
  });

  it("pull-wake has no URL, and proves nothing", async () => {
    world.makeStream("wake");
    await world.create(PULL);
    await world.append("a");
    await world.pass(1_000);
    expect([world.sent.length, world.streams.get("wake")?.events.length, await proof()]).toEqual([0, 1, undefined]);
  });
});
