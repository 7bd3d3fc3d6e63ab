import { SignJWT } from "jose";
import { beforeEach, describe, expect, it } from "vitest";

import { callbackOf, codeOf, WAKE_START_MS, WakeFixture, ofClaim, PULL } from "../../test/wake-fixture.ts";
import type { AckCommand, ClaimResult, WakeCommand } from "../contracts/wakes.ts";

let world: WakeFixture;

beforeEach(() => {
  world = new WakeFixture();
});

const NOTHING = { acks: [], done: false };
const ACTIVE = { ok: true, subscription: { status: "active" } };
const FAILED = { ok: true, subscription: { status: "failed" } };

describe("wakes", () => {
  it("[WK1] [WK2] [IN13] are combined: appends while one is under way make one more", async () => {
    await world.create({ leaseTtlMs: 600_000 });
    await world.append("a");
    await world.pass(0);
    const first = world.last();
    for (let count = 0; count < 20; count += 1) await world.append("a");
    await world.pass(1_000);
    expect(world.sent).toHaveLength(1);
    const told = first.streams[0]?.tail_offset ?? "";
    const acked = await world.consumer.ack(callbackOf(first, { acks: [{ stream: "a", offset: told }], done: true }));
    expect(acked).toEqual({ ok: true, nextWake: true });
    await world.pass(0);
    expect([world.sent.length, world.last().generation]).toEqual([2, 2]);
    expect(world.last().wake_id).not.toBe(first.wake_id);
  });

  it("[WK1] are not made when everything is done", async () => {
    await world.create({ ...PULL });
    world.makeStream("wake");
    const offset = await world.append("a");
    const claimed = await world.claim();
    const done = await world.consumer.ack({ ...ofClaim(claimed), acks: [{ stream: "a", offset }], done: true });
    expect(done).toEqual({ ok: true, nextWake: false });
    await world.pass(600_000);
    expect([world.streams.get("wake")?.events.length, world.alarmAtMs]).toEqual([0, undefined]);
  });
});

it("a notification while a lease is held sets no alarm, because each alarm is a row written", async () => {
  await world.create({ leaseTtlMs: 600_000 });
  await world.append("a");
  await world.pass(1_000);
  const before = world.alarmsSet;
  for (let count = 0; count < 10; count += 1) await world.append("a");
  expect(world.alarmsSet).toBe(before);
});

describe("[WK12] a worker that takes wakes and acknowledges nothing", () => {
  const gaps = (): number[] =>
    world.sent.slice(1).map(({ atMs }, index) => Math.round((atMs - (world.sent[index]?.atMs ?? 0)) / 1_000));

  beforeEach(async () => {
    await world.create({ leaseTtlMs: 1_000 });
    await world.append("a");
  });

  it("is sent wakes less and less often, once a minute in the end", async () => {
    await world.pass(400_000);
    // A lease of a second, and then what it waits.
    expect(gaps()).toEqual([1, 2, 3, 5, 9, 17, 33, 61, 61, 61, 61, 61]);
  });

  it("is not sent wakes more often when the object dies in between, or more is appended", async () => {
    for (let step = 0; step < 400; step += 1) {
      await world.pass(1_000);
      world.restart();
      await world.append("a");
    }
    expect(world.sent.length).toBeLessThanOrEqual(13);
  });

  it("is sent wakes at once again when it has acknowledged something", async () => {
    await world.pass(200_000);
    world.webhook = () => ({ status: 200, text: '{"done":true}' });
    await world.pass(70_000);
    expect(await world.acked("a")).toBe(world.tail("a"));
    world.webhook = () => ({ status: 200, text: "{}" });
    const before = world.sent.length;
    await world.append("a");
    await world.pass(1_000);
    expect(world.sent.length).toBe(before + 2);
  });

  it("is treated alike when it says done, or releases, without acknowledging anything", async () => {
    world.webhook = (body) =>
      world.consumer.ack(callbackOf(body, { done: true })).then(() => ({ status: 200, text: "" }));
    await world.pass(400_000);
    expect(world.sent.length).toBeLessThanOrEqual(15);
  });

  it("can still claim at once", async () => {
    world = new WakeFixture();
    world.makeStream("wake");
    await world.create({ ...PULL, leaseTtlMs: 1_000 });
    await world.append("a");
    for (let count = 0; count < 20; count += 1) await world.consumer.release(ofClaim(await world.claim()));
    expect((await world.claim()).generation).toBe(21);
    expect(world.streams.get("wake")?.events.length).toBeLessThan(3);
  });
});

it("[WK13] a token that is not the subscription's own gets the same answer from every subscription, existing or not", async () => {
  const command = (via: WakeCommand["via"]): AckCommand => ({
    via,
    token: "x",
    wakeId: "w",
    generation: 1,
    ...NOTHING,
  });
  const ask = async (): Promise<unknown[]> => [
    await world.consumer.ack(command("webhook")),
    await world.consumer.ack(command("pull-wake")),
    await world.consumer.release(command("pull-wake")),
  ];
  const none = await ask();
  await world.create();
  const webhook = await ask();
  await world.consumer.remove();
  const deleted = await ask();
  await world.create(PULL);
  expect([webhook, deleted, await ask()]).toEqual([none, none, none]);
  expect(none).toMatchObject(none.map(() => ({ problem: { code: "unauthenticated" } })));
});

describe("[WK9] the fencing matrix", () => {
  type Request = (good: WakeCommand) => Promise<Partial<WakeCommand>> | Partial<WakeCommand>;
  const token = (key: string, claims: object, sub = "p/sub", atMs = WAKE_START_MS + 3_600_000) =>
    new SignJWT({ sub, wake: "w_2", gen: 1, ...claims })
      .setProtectedHeader({ alg: "HS256", typ: "wake+jwt" })
      .setExpirationTime(atMs / 1000)
      .sign(new TextEncoder().encode(key));
  const SECRET = "secret-1".padEnd(43, "x");

  const MATRIX: readonly (readonly [string, Request, string])[] = [
    ["all as it must be", () => ({}), "ok"],
    ["no token at all", () => ({ token: "" }), "unauthenticated"],
    ["no JWT", () => ({ token: "x.y.z" }), "unauthenticated"],
    ["another signature", async () => ({ token: await token("wrong".padEnd(43, "x"), {}) }), "unauthenticated"],
    ["a token of another subscription", async () => ({ token: await token(SECRET, {}, "p/other") }), "unauthenticated"],
    ["a token of another project", async () => ({ token: await token(SECRET, {}, "q/sub") }), "unauthenticated"],
    [
      "an expired token",
      async () => ({ token: await token(SECRET, {}, "p/sub", WAKE_START_MS - 1_000) }),
      "token-expired",
    ],
    [
      "a token of an earlier generation",
      async () => ({ token: await token(SECRET, { gen: 0 }) }),
      "subscription-fenced",
    ],
    ["a token of another wake", async () => ({ token: await token(SECRET, { wake: "w_1" }) }), "subscription-fenced"],
    ["an earlier generation", () => ({ generation: 0 }), "subscription-fenced"],
    ["a later generation", () => ({ generation: 2 }), "subscription-fenced"],
    ["another wake", () => ({ wakeId: "w_1" }), "subscription-fenced"],
    ["the other way", ({ via }) => ({ via: via === "webhook" ? "pull-wake" : "webhook" }), "subscription-invalid"],
  ];

  const webhookWake = async (): Promise<WakeCommand> => {
    await world.create();
    await world.append("a");
    await world.pass(0);
    return callbackOf(world.last());
  };
  const pullWake = async (): Promise<WakeCommand> => {
    await world.create(PULL);
    await world.append("a");
    return ofClaim(await world.claim());
  };

  describe.each([
    ["callback", webhookWake, (command: WakeCommand) => world.consumer.ack({ ...command, ...NOTHING })],
    ["ack", pullWake, (command: WakeCommand) => world.consumer.ack({ ...command, ...NOTHING })],
    ["release", pullWake, (command: WakeCommand) => world.consumer.release(command)],
  ] as const)("%s with", (_name, wake, ask) => {
    it.each(MATRIX)("%s: %s", async (_what, request, code) => {
      const good = await wake();
      const before = await world.acked("a");
      expect(codeOf(await ask({ ...good, ...(await request(good)) }))).toBe(code);
      expect(await world.acked("a")).toBe(before);
    });

    it("a wake that is done: fenced", async () => {
      const good = await wake();
      await world.consumer.ack({ ...good, acks: [{ stream: "a", offset: world.tail("a") }], done: true });
      expect(codeOf(await ask(good))).toBe("subscription-fenced");
    });

    it("a lease that is over by a millisecond, before its alarm: fenced", async () => {
      const good = await wake();
      world.nowMs += 1_000;
      expect(codeOf(await ask(good))).toBe("subscription-fenced");
    });
  });

  type Acks = () => Promise<AckCommand["acks"]> | AckCommand["acks"];
  it.each<readonly [string, Acks, string]>([
    ["the tail", () => [{ stream: "a", offset: world.tail("a") }], "ok"],
    ["what is acknowledged already", async () => [{ stream: "a", offset: (await world.acked("a")) ?? "" }], "ok"],
    ["more than there is", () => [{ stream: "a", offset: "0000000000000001_0000000000000009" }], "ack-invalid"],
    ["an unknown stream", () => [{ stream: "x", offset: world.tail("a") }], "ack-invalid"],
    ["no offset", () => [{ stream: "a", offset: "now" }], "ack-invalid"],
    ["the beginning", () => [{ stream: "a", offset: "-1" }], "ack-invalid"],
    [
      "a good one and a bad one",
      () => [
        { stream: "a", offset: world.tail("a") },
        { stream: "x", offset: "1" },
      ],
      "ack-invalid",
    ],
  ])("[WK10] an acknowledgement of %s", async (_what, acks, code) => {
    await world.append("a");
    await world.create(PULL);
    await world.append("a");
    const wake = ofClaim(await world.claim());
    const before = await world.acked("a");
    const asked = await acks();
    expect(codeOf(await world.consumer.ack({ ...wake, acks: asked, done: true }))).toBe(code);
    expect(await world.acked("a")).toBe(code === "ok" ? asked[0]?.offset : before);
  });

  describe("[WK11] what a claim has listed can be acknowledged as long as its lease lasts", () => {
    type Event = () => unknown;
    const ZERO = "0000000000000000_0000000000000000";
    /** Each stream of the claim, by its tail and by its cursor, in one request. */
    const ackOf = (claimed: ClaimResult, by: "acked" | "tail"): AckCommand => ({
      ...ofClaim(claimed),
      acks: claimed.streams.map(({ path, acked, tail }) => ({ stream: path, offset: by === "tail" ? tail : acked })),
      done: by === "tail",
    });

    it.each<readonly [string, Event]>([
      ["nothing happens", () => undefined],
      [
        "a stream that had not said yet where it begins has done so",
        async () => {
          world.silent.delete("b");
          await world.pass(500);
        },
      ],
      ["a stream has grown", () => world.append("a")],
      [
        "a stream has ended",
        async () => {
          await world.discover("a", true);
          await world.pass(0);
        },
      ],
      [
        "a stream has begun anew",
        async () => {
          await world.discover("a", true);
          await world.append("a");
          await world.discover("a");
          await world.pass(0);
        },
      ],
      [
        "a stream has been taken out, and named again",
        async () => {
          await world.consumer.removeStream("a");
          await world.consumer.addStreams(["a"]);
        },
      ],
      ["the object has died", () => world.restart()],
    ])("although %s", async (_what, happens) => {
      world.makeStream("b");
      world.silent.add("b");
      world.makeStream("a");
      await world.create({ ...PULL, streams: ["a", "b", "c"] });
      await world.append("a");
      const claimed = await world.claim();
      expect(claimed.streams.find(({ path }) => path === "b")?.tail).toBe(ZERO);
      await happens();
      for (const by of ["acked", "tail", "acked"] as const)
        expect(await world.consumer.ack({ ...ackOf(claimed, by), done: false })).toMatchObject({ ok: true });
      expect(await world.consumer.ack(ackOf(claimed, "tail"))).toMatchObject({ ok: true });
    });

    it("[WK10] and never moves a cursor back", async () => {
      await world.create(PULL);
      await world.append("a");
      const claimed = await world.claim();
      await world.consumer.ack({ ...ackOf(claimed, "tail"), done: false });
      const reached = await world.acked("a");
      expect(await world.consumer.ack({ ...ackOf(claimed, "acked"), done: false })).toMatchObject({ ok: true });
      expect([reached, await world.acked("a")]).toEqual([world.tail("a"), world.tail("a")]);
    });

    it("and the same holds for a webhook's wake", async () => {
      world.makeStream("b");
      world.silent.add("b");
      await world.create({ streams: ["a", "b"], leaseTtlMs: 600_000 });
      await world.append("a");
      await world.pass(0);
      const wake = world.last();
      world.silent.delete("b");
      await world.pass(60_000);
      const acks = wake.streams.map(({ path, tail_offset: offset }) => ({ stream: path, offset }));
      expect(acks.map(({ offset }) => offset)).toContain(ZERO);
      expect(await world.consumer.ack(callbackOf(wake, { acks, done: true }))).toMatchObject({ ok: true });
    });
  });

  it("[WK11] an acknowledgement of what the stream has not notified yet is accepted", async () => {
    await world.create(PULL);
    await world.append("a");
    const wake = ofClaim(await world.claim());
    world.streams.get("a")?.appendedAtMs.push(world.nowMs);
    const acks = [{ stream: "a", offset: world.tail("a") }];
    expect(await world.consumer.ack({ ...wake, acks, done: true })).toEqual({ ok: true, nextWake: false });
  });
});

describe("a lease", () => {
  beforeEach(async () => {
    world.makeStream("wake");
    await world.create(PULL);
  });

  const events = () => world.streams.get("wake")?.events ?? [];

  it("[WK4] [IN13] goes to one of fifty workers", async () => {
    await world.append("a");
    const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => world.consumer.claim(`w${index}`)));
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    const lost = answers.filter((answer) => !answer.ok);
    expect(new Set(lost.map(codeOf))).toEqual(new Set(["subscription-claimed"]));
    expect(lost[0]).toMatchObject({ problem: { lease: { holder: "w0", generation: 1 } } });
  });

  it("[WK5] is not given without work", async () => {
    expect(codeOf(await world.consumer.claim("w"))).toBe("subscription-idle");
  });

  it("[WK5] is given for work that the stream has not notified yet", async () => {
    await world.append("a");
    await world.pass(0);
    const wake = ofClaim(await world.claim());
    await world.consumer.ack({ ...wake, acks: [{ stream: "a", offset: world.tail("a") }], done: true });
    world.streams.get("a")?.appendedAtMs.push(world.nowMs);
    expect((await world.claim()).generation).toBe(2);
  });

  it("[WK6] is extended by an acknowledgement without done, and by nothing else", async () => {
    await world.append("a");
    const wake = ofClaim(await world.claim());
    for (let beats = 0; beats < 10; beats += 1) {
      await world.pass(900);
      expect(codeOf(await world.consumer.ack({ ...wake, ...NOTHING }))).toBe("ok");
      expect(codeOf(await world.consumer.claim("other"))).toBe("subscription-claimed");
    }
    await world.pass(1_000);
    expect(codeOf(await world.consumer.ack({ ...wake, ...NOTHING }))).toBe("subscription-fenced");
  });

  it("[WK8] that runs out loses its holder, and what is pending wakes again", async () => {
    await world.append("a");
    await world.pass(0);
    expect(events()).toMatchObject([{ type: "wake", subscription_id: "sub", stream: "a", generation: 1 }]);
    await world.claim();
    await world.pass(1_000);
    expect(events()).toHaveLength(2);
    expect((await world.claim("other")).generation).toBe(2);
  });

  it("[WK7] that is released wakes again at once", async () => {
    await world.append("a");
    await world.pass(0);
    expect(codeOf(await world.consumer.release(ofClaim(await world.claim())))).toBe("ok");
    await world.pass(0);
    expect(events().map(({ generation }) => generation)).toEqual([1, 2]);
  });

  it("that nobody claims is not repeated, because the event stays in the wake stream", async () => {
    await world.append("a");
    await world.pass(86_400_000 * 3);
    expect(events()).toHaveLength(1);
    expect((await world.claim()).generation).toBe(1);
  });

  it("lasts a day at the most, and its token as long", async () => {
    await world.consumer.remove();
    await world.create({ ...PULL, leaseTtlMs: 600_000 });
    await world.append("a");
    const wake = ofClaim(await world.claim());
    const answers: string[] = [];
    for (let beats = 0; beats < 150; beats += 1) {
      answers.push(codeOf(await world.consumer.ack({ ...wake, ...NOTHING })));
      world.nowMs += 590_000;
    }
    // 86,400 s and one lease, in steps of 590 s.
    expect(answers.indexOf("ok")).toBe(0);
    expect(answers.lastIndexOf("ok")).toBe(147);
    expect(answers.slice(148)).toEqual(["token-expired", "token-expired"]);
  });

  it("[WK3] whose wake stream is missing waits for it", async () => {
    world.streams.delete("wake");
    await world.append("a");
    await world.pass(10_000);
    expect(await world.consumer.describe()).toMatchObject(FAILED);
    world.makeStream("wake");
    await world.pass(60_000);
    expect(events().map(({ generation }) => generation)).toEqual([1]);
    expect(await world.consumer.describe()).toMatchObject(ACTIVE);
  });
});
