import { beforeEach, describe, expect, it } from "vitest";

import { callbackOf, codeOf, WakeFixture, ofClaim, PULL } from "../../test/wake-fixture.ts";

let world: WakeFixture;

beforeEach(() => {
  world = new WakeFixture();
});

describe("a new subscription", () => {
  it("[SU8] begins at the tail of what exists, and is not woken by it", async () => {
    await world.append("a");
    await world.create();
    await world.pass(60_000);
    expect([world.sent.length, await world.acked("a")]).toEqual([0, world.tail("a")]);
  });

  it("[SU9] is woken by the first append to a stream that was made later", async () => {
    await world.create({ pattern: "new/*", streams: [] });
    await world.append("new/x");
    await world.discover("new/x");
    await world.pass(0);
    expect(world.last().streams).toMatchObject([{ path: "new/x", has_pending: true }]);
  });

  it("[SU9] is not woken by a stream that is made empty", async () => {
    await world.create({ pattern: "new/*", streams: [] });
    world.makeStream("new/x");
    await world.discover("new/x");
    await world.pass(60_000);
    expect([world.sent.length, await world.acked("new/x")]).toEqual([0, world.tail("new/x")]);
  });

  it("[SU8] is not woken by what a stream had before, even if the directory learns of that stream later", async () => {
    await world.append("new/x");
    await world.create({ pattern: "new/*", streams: [] });
    await world.discover("new/x");
    await world.pass(60_000);
    expect(world.sent).toEqual([]);
    await world.append("new/x");
    await world.pass(0);
    expect(world.sent).toHaveLength(1);
  });

  it("[SU8] links all streams that the directory lists, more than it asks at once", async () => {
    for (let count = 0; count < 300; count += 1) {
      await world.append(`s/${count}`);
      world.listed.push(`s/${count}`);
    }
    await world.create({ pattern: "s/*", streams: [] });
    const late = await world.append("s/299");
    await world.pass(1_000);
    expect(world.last().streams[0]).toMatchObject({ path: "s/299", tail_offset: late });
    expect(world.last().streams.filter(({ has_pending: isPending }) => isPending)).toHaveLength(1);
  });

  it("that the directory did not hear of is completed by the alarm or by a repeated request", async () => {
    world.isDirectorySilent = true;
    expect(codeOf(await world.create({ pattern: "a*", streams: ["a"] }))).toBe("unavailable");
    world.restart();
    world.isDirectorySilent = false;
    await world.pass(10_000);
    expect(world.directoryCalls).toEqual(["register sub a* a", "match"]);
    await world.append("a");
    await world.pass(0);
    expect(world.sent).toHaveLength(1);
  });

  it("never matches the streams that it writes itself", async () => {
    for (const name of ["wake", "x"]) world.makeStream(name);
    world.listed.push("wake", "x");
    await world.create({ ...PULL, pattern: "**", streams: [] });
    await world.discover("wake");
    expect(await world.acked("wake")).toBeUndefined();
    expect(codeOf(await world.consumer.addStreams(["wake"]))).toBe("subscription-invalid");
  });
});

describe("a subscription", () => {
  it("[SU2] is confirmed with the same configuration, and refused with another", async () => {
    expect(await world.create()).toMatchObject({ ok: true, created: true });
    expect(await world.create()).toMatchObject({ ok: true, created: false });
    expect(codeOf(await world.create({ description: "x" }))).toBe("subscription-exists");
  });

  it("keeps its configuration when streams are named later", async () => {
    await world.create();
    await world.consumer.addStreams(["b"]);
    expect(await world.create()).toMatchObject({ ok: true, created: false });
  });

  it("[SU18] begins at the tail of a stream that is named later, and is not woken by it", async () => {
    await world.create();
    const tail = await world.append("b");
    await world.consumer.addStreams(["b"]);
    await world.pass(1_000);
    expect([await world.acked("b"), world.sent.length]).toEqual([tail, 0]);
  });

  it("[SU7] shows no secret", async () => {
    await world.create();
    const described = JSON.stringify(await world.consumer.describe());
    expect(described).not.toContain("secret");
    expect(described).toContain("ds_test");
  });

  it("[SU12] that is deleted is gone for every request, and deleting it again does nothing", async () => {
    await world.create();
    await world.append("a");
    await world.pass(0);
    const body = world.last();
    await world.consumer.remove();
    await world.consumer.remove();
    const answers = [
      await world.consumer.describe(),
      await world.consumer.deliveries(),
      await world.consumer.addStreams(["b"]),
      await world.consumer.removeStream("a"),
      await world.consumer.claim("w"),
      await world.consumer.ack(callbackOf(body, { acks: [{ stream: "a", offset: world.tail("a") }], done: true })),
    ];
    expect(answers.map(codeOf)).toEqual(answers.map(() => "subscription-not-found"));
    expect(world.directoryCalls.filter((call) => call.startsWith("forget"))).toEqual(["forget sub"]);
    expect(await world.consumer.notify({ stream: "a", incarnation: 1, tail: world.tail("a") })).toBe(false);
    expect(world.alarmAtMs).toBeUndefined();
  });

  it("[SU13] names itself to the directory by when it was created, later than the one before it", async () => {
    const { interests } = world;
    await world.create();
    await world.consumer.removeStream("a");
    await world.consumer.remove();
    await world.create();
    const [first = 0, second = 0] = interests.registered;
    expect(second).toBeGreaterThan(first);
    expect(interests.forgotten).toEqual([first, first]);
  });

  it("[SU13] that is made again begins anew, and its generations go on", async () => {
    await world.create();
    await world.append("a");
    await world.pass(0);
    const old = world.last();
    await world.consumer.remove();
    await world.create();
    expect(await world.acked("a")).toBe(world.tail("a"));
    await world.append("a");
    await world.pass(0);
    expect(world.last().generation).toBe(old.generation + 1);
    expect(codeOf(await world.consumer.ack(callbackOf(old)))).toBe("unauthenticated");
  });

  it("of which the directory could not be notified is forgotten by the alarm", async () => {
    await world.create();
    world.isDirectorySilent = true;
    await world.consumer.remove();
    world.isDirectorySilent = false;
    world.restart();
    await world.pass(10_000);
    expect([world.directoryCalls.at(-1), world.alarmAtMs]).toEqual(["forget sub", undefined]);
  });
});

describe("[SU10] a stream that is named and matched", () => {
  beforeEach(async () => {
    world.makeStream("a");
    world.listed.push("a");
    await world.create({ pattern: "*", streams: ["a"] });
  });

  const typeOf = async (): Promise<string | undefined> => {
    const described = await world.consumer.describe();
    return described.ok ? described.subscription.streams.find(({ path }) => path === "a")?.linkType : undefined;
  };

  it("is explicit, and stays as glob when that is taken back", async () => {
    expect(await typeOf()).toBe("explicit");
    await world.consumer.removeStream("a");
    expect(await typeOf()).toBe("glob");
    await world.consumer.removeStream("a");
    expect(await typeOf()).toBe("glob");
    await world.append("a");
    await world.pass(0);
    expect(world.sent).toHaveLength(1);
  });

  it("[SU11] keeps its cursor when it is named again", async () => {
    await world.append("a");
    const acked = await world.acked("a");
    await world.consumer.addStreams(["a"]);
    expect(await world.acked("a")).toBe(acked);
  });
});

describe("[SU14] a stream that ends", () => {
  it("wakes nobody any more, and an acknowledgement of it does no harm", async () => {
    await world.create({ ...PULL, pattern: "a", streams: ["b"] });
    await world.append("a");
    await world.discover("a");
    await world.append("b");
    await world.pass(0);
    const offset = world.tail("a");
    const claimed = await world.claim();
    await world.discover("a", true);
    const acks = [
      { stream: "a", offset },
      { stream: "b", offset: world.tail("b") },
    ];
    const acked = await world.consumer.ack({ ...ofClaim(claimed), acks, done: true });
    expect(acked).toEqual({ ok: true, nextWake: false });
    expect([await world.acked("a"), await world.acked("b")]).toEqual([undefined, world.tail("b")]);
  });

  it("and comes again is another one: it begins at its first append", async () => {
    await world.create();
    await world.append("a");
    await world.pass(0);
    await world.discover("a", true);
    await world.append("a");
    await world.discover("a");
    await world.pass(2_000);
    expect(world.last().streams[0]).toMatchObject({ tail_offset: world.tail("a"), has_pending: true });
    expect(world.last().streams[0]?.acked_offset).toBe("0000000000000002_0000000000000000");
  });

  it("and whose end is reported late does not end what has begun since", async () => {
    await world.create();
    await world.append("a");
    const old = { stream: "a", incarnation: 1, hasEnded: true };
    world.streams.delete("a");
    await world.append("a");
    await world.discover("a");
    await world.pass(0);
    await world.consumer.discover(old);
    expect(await world.acked("a")).toBe("0000000000000002_0000000000000000");
  });

  it.each([
    ["by name", { pattern: null, streams: ["a"] }],
    ["by a pattern", { pattern: "a", streams: [] }],
  ])("and whose end is reported before its successor has been asked does not end that: %s", async (_, config) => {
    await world.append("a");
    await world.create(config);
    await world.discover("a");
    await world.pass(0);
    world.streams.delete("a");
    await world.append("a");
    await world.discover("a");
    // The directory reported the end first, but that arrives last.
    await world.consumer.discover({ stream: "a", incarnation: 1, hasEnded: true });
    await world.pass(0);
    expect(await world.acked("a")).toBe("0000000000000002_0000000000000000");
    expect(world.last().streams[0]).toMatchObject({ tail_offset: world.tail("a"), has_pending: true });
  });

  it("[SU15] causes no wake when it is only closed, because its offset is the same", async () => {
    await world.create();
    await world.append("a");
    world.webhook = () => ({ status: 200, text: '{"done":true}' });
    await world.pass(0);
    await world.consumer.notify({ stream: "a", incarnation: 1, tail: world.tail("a") });
    await world.pass(600_000);
    expect(world.sent).toHaveLength(1);
  });
});

it("what a stream reports while its answer is on its way is not forgotten", async () => {
  await world.create();
  await world.append("a");
  world.onWant.push(() => world.append("a"));
  world.webhook = () => ({ status: 200, text: '{"done":true}' });
  await world.pass(1_000);
  expect(await world.acked("a")).toBe(world.tail("a"));
});

it("the answer that a stream does not exist counts for nothing when it was made since", async () => {
  await world.create();
  world.makeStream("a");
  await world.discover("a");
  world.streams.delete("a");
  const makeAgain = async (): Promise<void> => {
    await world.append("a");
    await world.discover("a");
  };
  world.onWant.push(makeAgain);
  await world.pass(1_000);
  expect(world.sent.at(-1)?.body.streams).toMatchObject([{ path: "a", has_pending: true }]);
});

it("a stream that does not answer is asked again, and delays no other", async () => {
  world.makeStream("b");
  world.silent.add("a");
  await world.create({ streams: ["a", "b"] });
  await world.append("b");
  await world.pass(0);
  expect(world.last().streams.filter(({ has_pending: isPending }) => isPending)).toMatchObject([{ path: "b" }]);
  await world.append("a");
  world.silent.clear();
  world.webhook = () => ({ status: 200, text: '{"done":true}' });
  await world.pass(120_000);
  expect([await world.acked("a"), await world.acked("b")]).toEqual([world.tail("a"), world.tail("b")]);
});

it("changes that would wait behind too many others are refused and change nothing; a deletion never is", async () => {
  await world.create(PULL);
  const names = Array.from({ length: 300 }, (_, index) => `s/${index}`);
  const added = names.map((name) => world.consumer.addStreams([name]));
  const removed = [world.consumer.removeStream("s/0"), world.consumer.remove(), world.consumer.remove()];
  const codes = (await Promise.all(added)).map((result) => codeOf(result));
  const taken = codes.filter((code) => code === "ok").length;
  expect(codes).toEqual(names.map((_, index) => (index < taken ? "ok" : "overloaded")));
  expect(taken).toBeGreaterThan(200);
  expect(taken).toBeLessThan(300);
  expect(world.directoryCalls.filter((call) => call.includes(`s/${taken}`))).toEqual([]);
  expect(await Promise.all(removed)).toMatchObject([{ problem: { code: "overloaded" } }, undefined, undefined]);
  expect(codeOf(await world.consumer.describe())).toBe("subscription-not-found");
  // The two deletions were one.
  expect(world.directoryCalls.filter((call) => call === "forget sub")).toHaveLength(1);
  expect(codeOf(await world.create(PULL))).toBe("ok");
});

it("a late call that takes a name back does not undo one that names it again", async () => {
  await world.create({ ...PULL, streams: ["a", "b"] });
  const calls = () => world.directoryCalls.splice(0);
  expect(calls()).toHaveLength(1);
  // It is answered: nothing is sent again.
  await world.consumer.removeStream("b");
  await world.pass(120_000);
  expect(calls()).toEqual(["forget sub b"]);
  world.isDirectorySilent = true;
  await world.consumer.removeStream("a");
  world.isDirectorySilent = false;
  world.restart();
  expect(codeOf(await world.consumer.addStreams(["a"]))).toBe("ok");
  // The lost call may arrive now. An answered one does not mean that it has.
  await world.consumer.removeStream("c");
  await world.pass(59_000);
  expect(calls()).toEqual(["register sub  a", "forget sub c"]);
  await world.pass(61_000);
  expect(calls()).toEqual(["register sub  a"]);
  await world.pass(600_000);
  expect(calls()).toEqual([]);
});
