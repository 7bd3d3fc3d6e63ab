import { beforeEach, describe, expect, it } from "vitest";

import { callbackOf, WAKE_START_MS, WakeFixture, CONTROL_URL, PUBLIC_JWK, WEBHOOK } from "../../test/wake-fixture.ts";

let world: WakeFixture;

beforeEach(() => {
  world = new WakeFixture();
});

const ACTIVE = { ok: true, subscription: { status: "active" } };
const FAILED = { ok: true, subscription: { status: "failed" } };

describe("a webhook", () => {
  beforeEach(async () => {
    world.makeStream("a");
    await world.create();
    await world.append("a");
  });

  it("[WH5] is signed over the bytes that are sent, at each attempt anew", async () => {
    world.webhook = () => ({ status: 500, text: "" });
    await world.pass(2_000);
    expect(world.sent.length).toBeGreaterThan(1);
    for (const { atMs, request } of world.sent) {
      const match = /^t=(\d+),kid=ds_test,ed25519=([\w-]{86})$/.exec(request.signature);
      expect(match?.[1]).toBe(String(Math.floor(atMs / 1000)));
      const key = await crypto.subtle.importKey("jwk", PUBLIC_JWK, "Ed25519", false, ["verify"]);
      const signed = Buffer.concat([Buffer.from(`${match?.[1] ?? ""}.`), request.body]);
      expect(await crypto.subtle.verify("Ed25519", key, Buffer.from(match?.[2] ?? "", "base64url"), signed)).toBe(true);
    }
  });

  it("[WH4] contains what the specification says", async () => {
    await world.pass(0);
    expect(world.last()).toEqual({
      subscription_id: "sub",
      wake_id: expect.stringMatching(/^w_/),
      generation: 1,
      streams: [
        {
          path: "a",
          link_type: "explicit",
          acked_offset: expect.stringMatching(/^\d{16}_\d{16}$/),
          tail_offset: world.tail("a"),
          has_pending: true,
        },
      ],
      callback_url: `${CONTROL_URL}/subscriptions/sub/callback`,
      callback_token: expect.any(String),
    });
  });

  it("[WH6] that answers done acknowledges what the wake contained, and nothing that came after it", async () => {
    const first = world.tail("a");
    let late = "";
    world.webhook = async () => {
      if (late === "") late = await world.append("a");
      return { status: 200, text: '{"done":true}' };
    };
    await world.pass(0);
    expect(await world.acked("a")).toBe(first);
    await world.pass(10);
    expect(world.sent.map(({ body }) => body.generation)).toEqual([1, 2]);
    expect(await world.acked("a")).toBe(late);
    await world.pass(600_000);
    expect(world.sent).toHaveLength(2);
  });

  it.each(["", "{}", '{"done":1}', '{"done":"true"}', "[true]", "nonsense", "null"])(
    "[WH6] that answers %j has not said done",
    async (text) => {
      const before = await world.acked("a");
      world.webhook = () => ({ status: 200, text });
      await world.pass(10);
      expect(await world.acked("a")).toBe(before);
    },
  );

  it("[WH10] is judged again at each delivery", async () => {
    const strict = new WakeFixture();
    strict.allowsLoopback = true;
    strict.restart();
    await strict.create({ webhookUrl: "http://127.0.0.1:1/" });
    strict.allowsLoopback = false;
    strict.restart();
    await strict.append("a");
    await strict.pass(0);
    expect(strict.sent).toEqual([]);
    expect(await strict.consumer.deliveries()).toMatchObject({
      attempts: [{ status: null, error: expect.stringMatching(/^The URL points to this machine\./) as string }],
    });
  });
});

it("an attempt without an answer is reported in one way, whatever the cause", async () => {
  await world.create();
  await world.append("a");
  const errors = ["Network connection lost.", "internal error; reference = x", "The operation timed out."];
  const waiting = [...errors];
  world.webhook = () => Promise.reject(new Error(waiting.shift() ?? ""));
  await world.pass(5_000);
  const report = await world.consumer.deliveries();
  const told = report.ok ? report.attempts.map(({ error }) => error) : [];
  expect(told).toHaveLength(errors.length);
  expect(new Set(told)).toEqual(new Set(["The webhook could not be reached over HTTPS or did not answer in time."]));
});

describe("the callback URL in a webhook", () => {
  const IN_CLEAR = "http://streams.shop.com/v1/stream/p/__ds";
  const attempts = async (): Promise<readonly { readonly error: string | null }[]> => {
    const report = await world.consumer.deliveries();
    return report.ok ? report.attempts : [];
  };

  it("is that of PUBLIC_URL, also for subscriptions that were made before it was set", async () => {
    await world.create({}, IN_CLEAR);
    world.publicControlUrl = "https://public.shop.com/streams/v1/stream/p/__ds";
    world.restart();
    await world.append("a");
    await world.pass(0);
    expect(world.last().callback_url).toBe(`${world.publicControlUrl}/subscriptions/sub/callback`);
    expect(await world.consumer.describe()).toMatchObject({ subscription: { controlUrl: world.publicControlUrl } });
  });

  it("[WH12] is never by plain HTTP: a stored one is not sent, and the delivery says what to set", async () => {
    await world.create({}, IN_CLEAR);
    await world.append("a");
    await world.pass(0);
    expect(world.sent).toEqual([]);
    expect((await attempts())[0]?.error).toContain("PUBLIC_URL");
  });

  it("[WH12] may be by plain HTTP on this machine", async () => {
    await world.create({}, "http://localhost:4437/v1/stream/p/__ds");
    await world.append("a");
    await world.pass(0);
    expect(world.last().callback_url).toContain("http://localhost:4437/");
  });

  it("makes PUBLIC_URL known as the server itself, to which no webhook is sent", async () => {
    world.publicControlUrl = "https://public.shop.com/v1/stream/p/__ds";
    world.restart();
    const refused = await world.create({ webhookUrl: "https://public.shop.com/hooks" });
    expect(refused).toMatchObject({ ok: false, problem: { code: "webhook-url-rejected" } });
  });
});

describe("a webhook that fails", () => {
  beforeEach(async () => {
    await world.create();
    await world.append("a");
    world.webhook = () => ({ status: 503, text: "" });
  });

  it("[WH7] [WK14] is tried again after 1 s, 2 s, 4 s … 60 s, by the same wake, however short the lease", async () => {
    await world.pass(200_000);
    const times = world.sent.map(({ atMs }) => Math.round((atMs - WAKE_START_MS) / 1_000));
    expect(times).toEqual([0, 1, 3, 7, 15, 31, 63, 123, 183]);
    expect(new Set(world.sent.map(({ body }) => `${body.wake_id} ${body.generation}`)).size).toBe(1);
  });

  it("[WH8] keeps its retry times when the object is evicted", async () => {
    for (let step = 0; step < 200; step += 1) {
      await world.pass(1_000);
      world.restart();
    }
    expect(world.sent).toHaveLength(9);
  });

  it("[WH8] keeps its retry times when the object dies at each attempt", async () => {
    world.webhook = () => new Promise(() => undefined);
    for (let step = 0; step < 2_000; step += 1) {
      const atMs = world.alarmAtMs;
      if (atMs === undefined) throw new Error("Nothing is going to happen.");
      if (atMs > WAKE_START_MS + 200_000) break;
      world.nowMs = Math.max(world.nowMs, atMs);
      world.alarmAtMs = undefined;
      const sentBefore = world.sent.length;
      let isOver = false;
      void world.consumer.alarm().then(() => (isOver = true));
      // A signature takes its own time.
      while (!isOver && world.sent.length === sentBefore) await new Promise((resolve) => void setImmediate(resolve));
      world.restart();
    }
    expect(world.sent.length).toBeGreaterThan(5);
    expect(world.sent.length).toBeLessThan(12);
  });

  it.each([301, 302, 307, 400, 410, 500])(
    "[WH7] [WH11] with %i is tried again, and a redirect is not followed",
    async (status) => {
      world.webhook = () => ({ status, text: '{"done":true}' });
      await world.pass(1_100);
      expect(world.sent.map(({ request }) => request.url)).toEqual([WEBHOOK.webhookUrl, WEBHOOK.webhookUrl]);
    },
  );

  it("[WH7] because nobody answers is tried again", async () => {
    world.webhook = () => Promise.reject(new Error("It took too long."));
    await world.pass(1_100);
    expect(world.sent).toHaveLength(2);
    expect(await world.consumer.deliveries()).toMatchObject({
      attempts: [{ error: expect.stringContaining("did not answer in time") as string }, {}],
    });
  });

  it("[WH9] makes the subscription failed until it has been delivered", async () => {
    await world.pass(0);
    expect(await world.consumer.describe()).toMatchObject(FAILED);
    world.webhook = () => ({ status: 204, text: "" });
    await world.pass(1_000);
    expect(await world.consumer.describe()).toMatchObject(ACTIVE);
  });

  it("counts as delivered when it calls back", async () => {
    world.webhook = async (body) => {
      await world.consumer.ack(callbackOf(body, { acks: [{ stream: "a", offset: world.tail("a") }], done: true }));
      return { status: 500, text: "" };
    };
    await world.pass(60_000);
    expect([world.sent.length, await world.acked("a")]).toEqual([1, world.tail("a")]);
  });

  it("is not tried any more once its stream is gone", async () => {
    await world.pass(0);
    await world.discover("a", true);
    await world.pass(600_000);
    expect([world.sent.length, world.alarmAtMs]).toEqual([1, undefined]);
  });

  it("[DG5] reports its last twenty attempts, and when the next one is", async () => {
    await world.pass(2_000_000);
    const report = await world.consumer.deliveries();
    if (!report.ok) throw new Error("no report");
    expect(report.attempts).toHaveLength(20);
    expect(report.attempts[0]).toMatchObject({
      status: 503,
      generation: 1,
      error: "The webhook answered with status 503.",
    });
    expect(report.nextAttemptAtMs).toBeGreaterThan(world.nowMs);
  });
});

describe("a webhook with a dead-letter stream", () => {
  beforeEach(async () => {
    for (const name of ["a", "dead"]) world.makeStream(name);
    await world.create({ deadLetter: { stream: "dead", maxAttempts: 3 } });
    await world.append("a");
    world.webhook = () => ({ status: 500, text: "" });
  });

  it("[WH14] is given up after so many attempts: the stream gets what was lost, once, and the subscription goes on", async () => {
    const tail = world.tail("a");
    await world.pass(600_000);
    expect(world.sent).toHaveLength(3);
    expect(world.streams.get("dead")?.events).toMatchObject([
      {
        type: "dead-letter",
        subscription_id: "sub",
        generation: 1,
        attempts: 3,
        streams: [{ path: "a", tail_offset: tail }],
      },
    ]);
    expect(await world.acked("a")).toBe(tail);
    await world.append("a");
    await world.pass(0);
    expect(world.last().generation).toBe(2);
  });

  it("[WH14] whose stream is missing is tried again: nothing is given up that is written nowhere", async () => {
    const before = await world.acked("a");
    world.streams.delete("dead");
    await world.pass(30_000);
    expect([world.sent.length > 3, await world.acked("a")]).toEqual([true, before]);
    world.makeStream("dead");
    await world.pass(120_000);
    expect(world.streams.get("dead")?.events).toHaveLength(1);
  });
});
