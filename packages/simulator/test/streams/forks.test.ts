import type { CreateCommand } from "@durable-streams-cloudflare/core/contracts/stream";
import { pendingReleasesTable } from "@durable-streams-cloudflare/core/stream/tables/fork-rows";
import { rowsOf } from "@durable-streams-cloudflare/core/test/stored-rows";
import { codeOf, appendOf, createOf } from "@durable-streams-cloudflare/core/test/stream-fixture";
import { formatOffset, offsetAt, parseOffset } from "@durable-streams-cloudflare/protocol";
import { textOf, utf8 } from "@durable-streams-cloudflare/testkit";
import { settled } from "@durable-streams-cloudflare/testkit/node-host";
import { describe, expect, it } from "vitest";

import { MISHAPS } from "../../src/model/commands.ts";
import {
  expectExactCounts,
  expectNothingAfterDeletingAll,
  expectWholeContents,
} from "../../src/worlds/stream-rules.ts";
import { befall, StreamWorld } from "../../src/worlds/stream-world.ts";
import { Lost, type Fate } from "../../src/worlds/world.ts";

const FORK = { source: "p/source", offset: null, subOffset: 0 };

function forkOf(more: Partial<CreateCommand> = {}): CreateCommand {
  return createOf({ contentType: null, fork: FORK, ...more });
}

async function worldWithSource(): Promise<StreamWorld> {
  const world = new StreamWorld();
  await world.ask("p/source", (stream) => stream.create(createOf({ bytes: utf8("inherited") })));
  return world;
}

async function worldWithFork(): Promise<StreamWorld> {
  const world = await worldWithSource();
  await world.ask("p/fork", (stream) => stream.create(forkOf({ bytes: utf8(" own") })));
  return world;
}

/** Whether the answer came, and which. */
async function outcomeOf(operation: Promise<Parameters<typeof codeOf>[0]>): Promise<string> {
  return operation.then(codeOf).catch((error: unknown) => {
    if (!(error instanceof Lost)) throw error;
    return "lost";
  });
}

/** More than any of these operations has. */
const STEPS_MAX = 12;

async function takeSteps(world: StreamWorld, count: number): Promise<number> {
  for (let step = 0; step < count; step += 1) {
    if (world.heldCount === 0) return step;
    await world.release(0, "arrives");
  }
  return count;
}

async function settleAll(world: StreamWorld): Promise<void> {
  await world.releaseAll();
  expectWholeContents(world);
  await world.fireAllAlarms();
  expectWholeContents(world);
  expectExactCounts(world);
}

describe.each(MISHAPS)("between any two steps: %s", (mishap) => {
  it("the creation of a fork counts it once or not at all", async () => {
    for (let steps = 0; steps < STEPS_MAX; steps += 1) {
      const world = await worldWithSource();
      world.isHeld = true;
      const created = outcomeOf(world.ask("p/fork", (stream) => stream.create(forkOf())));
      await settled();
      await takeSteps(world, steps);
      await befall(world, mishap, { it: "p/fork", source: "p/source" });
      await settleAll(world);
      const isThere = world.stream("p/fork").head().ok;
      expect(isThere || (await created) !== "ok").toBe(true);
      // A client that does not know tries again, and has what it wanted.
      expect(codeOf(await world.ask("p/fork", (stream) => stream.create(forkOf())))).toBe("ok");
      expectExactCounts(world);
      await expectNothingAfterDeletingAll(world);
    }
  });

  it("the deletion of a fork frees a deleted source, and not before", async () => {
    for (let steps = 0; steps < STEPS_MAX; steps += 1) {
      const world = await worldWithFork();
      await world.ask("p/source", (stream) => stream.remove());
      world.isHeld = true;
      const removed = outcomeOf(world.ask("p/fork", (stream) => stream.remove()));
      await settled();
      const firing = outcomeOf(world.fireAlarm("p/fork").then(() => ({ ok: true })));
      await settled();
      await takeSteps(world, steps);
      await befall(world, mishap, { it: "p/fork", source: "p/source" });
      await settleAll(world);
      await Promise.all([removed, firing]);
      expect(world.leftovers("p/fork")).toEqual([]);
      expect(world.leftovers("p/source")).toEqual([]);
    }
  });
});

describe("a deletion and a fork at once", () => {
  it("in every order of their steps: either the fork has all bytes, or it is refused and nothing is left", async () => {
    const seen = new Set<string>();
    for (let order = 0; order < 2 ** 8; order += 1) {
      const world = await worldWithSource();
      world.isHeld = true;
      const fork = outcomeOf(world.ask("p/fork", (stream) => stream.create(forkOf())));
      let removal: Promise<string> | undefined;
      await settled();
      for (let choices = order; world.heldCount > 0; choices >>= 1) {
        if (removal === undefined && choices % 2 === 1) {
          removal = outcomeOf(world.ask("p/source", (stream) => stream.remove()));
          await settled();
        }
        await world.release(choices >> 1, "arrives");
      }
      removal ??= outcomeOf(world.ask("p/source", (stream) => stream.remove()));
      await settleAll(world);
      const result = `fork ${await fork}, remove ${await removal}`;
      seen.add(result);
      const content = world.content("p/fork");
      expect(codeOf(content) === "ok").toBe((await fork) === "ok");
      expect(world.leftovers("p/source").length > 0).toBe((await fork) === "ok");
    }
    expect([...seen].toSorted()).toEqual(["fork ok, remove ok", "fork stream-not-found, remove ok"]);
  });
});

describe("a pin", () => {
  it("that comes after its fork has given up is refused: nobody would release it", async () => {
    const world = await worldWithSource();
    world.isHeld = true;
    const created = outcomeOf(world.ask("p/fork", (stream) => stream.create(forkOf())));
    await settled();
    await world.release(0, "arrives"); // The pending release is on disk, the request is on its way.
    expect(world.calls.map(({ method }) => method)).toEqual(["pin"]);
    world.crash("p/fork");
    await settled();
    // Time goes on; the release is sent before the pin was made.
    world.nowMs = world.host("p/fork").alarmAtMs ?? 0;
    const firing = world.fireAlarm("p/fork");
    await settled();
    while (world.heldCount > 1) await world.release(1, "arrives");
    await firing;
    await world.releaseAll();
    expect(await created).toBe("lost");
    expectExactCounts(world);
  });

  it("stays while its fork is still being made, however slowly, and whatever the alarm does meanwhile", async () => {
    const world = await worldWithSource();
    world.isHeld = true;
    const created = outcomeOf(world.ask("p/fork", (stream) => stream.create(forkOf())));
    await settled();
    await takeSteps(world, 2); // Pinned; the answer is on its way.
    world.nowMs += 120_000;
    const firing = world.fireAlarm("p/fork");
    await settled();
    await world.releaseAll();
    await firing;
    expect(await created).toBe("ok");
    await world.ask("p/source", (stream) => stream.remove());
    await settleAll(world);
    expect(codeOf(world.content("p/fork"))).toBe("ok");
  });

  it("is not released by an alarm that read its pending release before the fork was made", async () => {
    const world = await worldWithSource();
    await world.ask("p/other", (stream) => stream.create(createOf()));
    // A first pending release, of a fork that was never created: its creator crashed.
    world.isHeld = true;
    const first = outcomeOf(
      world.ask("p/fork", (stream) => stream.create(forkOf({ fork: { ...FORK, source: "p/other" } }))),
    );
    await settled();
    await takeSteps(world, 2);
    world.crash("p/fork");
    await world.releaseAll();
    expect(await first).toBe("lost");
    world.isHeld = true;
    const created = outcomeOf(world.ask("p/fork", (stream) => stream.create(forkOf())));
    await settled();
    await takeSteps(world, 2);
    world.nowMs += 120_000;
    const firing = world.fireAlarm("p/fork");
    await settled();
    await world.release(0, "arrives"); // While the alarm waits for the other source, the pin is known,
    await world.release(1, "arrives"); // and the fork is made.
    await world.releaseAll();
    await firing;
    expect(await created).toBe("ok");
    await world.ask("p/source", (stream) => stream.remove());
    await settleAll(world);
    expect(codeOf(world.content("p/fork"))).toBe("ok");
  });

  it("of one source that does not answer does not delay the release of another", async () => {
    const world = await worldWithFork();
    await world.ask("p/fork", (stream) => stream.remove());
    await world.ask("p/other", (stream) => stream.create(createOf()));
    await world.ask("p/fork", (stream) => stream.create(forkOf({ fork: { ...FORK, source: "p/other" } })));
    await world.ask("p/fork", (stream) => stream.remove());
    world.isHeld = true;
    const firing = world.fireAlarm("p/fork");
    await settled();
    await world.release(0, "lost");
    await world.releaseAll();
    await firing;
    const left = rowsOf(world.host("p/fork").database, pendingReleasesTable);
    expect(left).toHaveLength(1);
    expect(world.host("p/fork").alarmAtMs).toBeGreaterThan(world.nowMs);
    await settleAll(world);
    expect(world.leftovers("p/fork")).toEqual([]);
  });
});

describe("a source that is deleted while a fork is planned", () => {
  /** A JSON stream of two levels: messages 1 and 2 are inherited, 3 is the second level's own. */
  async function worldOfTwoLevels(): Promise<StreamWorld> {
    const world = new StreamWorld();
    const json = { contentType: "application/json" };
    await world.ask("p/source", (stream) => stream.create(createOf({ ...json, bytes: utf8("1,2,") })));
    await world.ask("p/fork", (stream) => stream.create(forkOf({ ...json, bytes: utf8("3,") })));
    return world;
  }

  it.each([
    { subOffset: 3, place: "in its own bytes", isAnew: false },
    { subOffset: 2, place: "in bytes of another object", isAnew: false },
    { subOffset: 3, place: "in its own bytes", isAnew: true },
    { subOffset: 2, place: "in bytes of another object", isAnew: true },
  ])("is not found: the fork point lies $place, created anew: $isAnew", async ({ subOffset, isAnew }) => {
    const world = await worldOfTwoLevels();
    world.isHeld = true;
    const fork = { source: "p/fork", offset: { kind: "start" } as const, subOffset };
    const third = outcomeOf(world.ask("p/third", (stream) => stream.create(forkOf({ fork }))));
    await settled();
    await takeSteps(world, 2); // The source has been asked, and asks the first level.
    expect(world.calls.map(({ method }) => method).slice(-2)).toEqual(["pin", "page"]);
    const operations = [outcomeOf(world.ask("p/fork", (stream) => stream.remove()))];
    await settled();
    const anew = createOf({ contentType: "application/json", bytes: utf8("4,5,6,") });
    if (isAnew) operations.push(outcomeOf(world.ask("p/fork", (stream) => stream.create(anew))));
    await settled();
    await settleAll(world);
    expect(await third).toBe("stream-not-found");
    expect(new Set(await Promise.all(operations))).toEqual(new Set(["ok"]));
  });
});

describe("offsets", () => {
  it("of the source are the fork's up to the fork point, the beginning of an empty one included", async () => {
    const world = new StreamWorld();
    const source = await world.ask("p/source", (stream) => stream.create(createOf()));
    await world.ask("p/fork", (stream) => stream.create(forkOf()));
    await world.ask("p/fork", (stream) => stream.append(appendOf("own")));
    await world.ask("p/third", (stream) => stream.create(forkOf({ fork: { ...FORK, source: "p/fork" } })));
    const incarnation = source.ok ? source.lineage.incarnation : 0;
    const from = parseOffset(formatOffset(incarnation, 0)) ?? { kind: "now" };
    for (const name of ["p/source", "p/fork", "p/third"]) {
      const read = world.stream(name).read({ from, ifNoneMatch: null, paging: "bytes" });
      expect({ name, code: codeOf(read) }).toEqual({ name, code: "ok" });
    }
  });
});

describe("[RE5] [FK14] a read that is cut", () => {
  it("ends at a fork point, and goes on from there with the fork's own bytes", async () => {
    const world = new StreamWorld({ readBytesMax: 10 });
    await world.ask("p/source", (stream) => stream.create(createOf({ bytes: utf8("8 bytes.") })));
    await world.ask("p/fork", (stream) => stream.create(forkOf({ bytes: utf8("8 more..") })));
    await world.ask("p/source", (stream) => stream.append(appendOf("not the fork's")));
    const read = { ifNoneMatch: null, paging: "bytes" } as const;
    const first = world.stream("p/fork").read({ ...read, from: { kind: "start" } });
    expect(first).toMatchObject({ ok: true, from: 0, to: 8, tail: 16, stretches: [{ name: "p/source", to: 8 }] });
    const from = parseOffset(first.ok ? offsetAt(first.lineage, first.to) : null) ?? { kind: "now" };
    expect(world.stream("p/fork").read({ ...read, from })).toMatchObject({ from: 8, to: 16, page: utf8("8 more..") });
  });
});

describe("an expired fork", () => {
  it("that is written over before its alarm releases its source, and ends its readers", async () => {
    const world = await worldWithSource();
    const lifetime = { kind: "at", expiresAtMs: world.nowMs + 1_000 } as const;
    await world.ask("p/fork", (stream) => stream.create(forkOf({ lifetime })));
    const reader = world.host("p/fork").attach("inherited".length);
    world.nowMs += 2_000;
    expect(codeOf(await world.ask("p/fork", (stream) => stream.create(createOf())))).toBe("ok");
    expect(reader.closed).toMatchObject({ reason: "gone" });
    expectWholeContents(world);
    await settleAll(world);
    await world.ask("p/source", (stream) => stream.remove());
    await world.fireAllAlarms();
    expect(world.leftovers("p/source")).toEqual([]);
  });
});

describe("the alarm", () => {
  it.each<Fate>(["arrives", "lost", "late"])("comes to rest, also when a release %s", async (fate) => {
    const world = await worldWithFork();
    await world.ask("p/fork", (stream) => stream.remove());
    world.isHeld = true;
    const firing = world.fireAlarm("p/fork");
    await settled();
    await world.release(0, fate);
    await world.releaseAll();
    await firing;
    await world.fireAllAlarms();
    expect(world.leftovers("p/fork")).toEqual([]);
    expect(world.host("p/source").alarmAtMs).toBeUndefined();
  });

  it("may fire at any time, twice, and changes nothing that is not due", async () => {
    const world = await worldWithFork();
    const before = world.keys.map((name) => world.host(name).database.rowsWritten);
    for (const name of [...world.keys, ...world.keys]) await world.fireAlarm(name);
    expect(world.keys.map((name) => world.host(name).database.rowsWritten)).toEqual(before);
    expect(world.keys.map((name) => world.host(name).alarmAtMs)).toEqual([undefined, undefined]);
    expectWholeContents(world);
  });

  it("is set again before it works: a crash in its middle does not lose it", async () => {
    const world = await worldWithFork();
    await world.ask("p/source", (stream) => stream.remove());
    await world.ask("p/fork", (stream) => stream.remove());
    world.isHeld = true;
    const firing = outcomeOf(world.fireAlarm("p/fork").then(() => ({ ok: true })));
    await settled();
    world.crash("p/fork");
    expect(await firing).toBe("lost");
    expect(world.host("p/fork").alarmAtMs).toBeGreaterThan(world.nowMs);
    await settleAll(world);
    expect(world.leftovers("p/source")).toEqual([]);
  });
});

it("[FK7] a fork is confirmed by the same request, whatever it inherited and however its source grew", async () => {
  const world = new StreamWorld();
  const lifetime = { kind: "ttl", ttlSeconds: 1_000 } as const;
  await world.ask("p/source", (stream) => stream.create(createOf({ lifetime, bytes: utf8("a") })));
  await world.ask("p/fork", (stream) => stream.create(forkOf()));
  await world.ask("p/source", (stream) => stream.append(appendOf("b")));
  const again = await world.ask("p/fork", (stream) => stream.create(forkOf()));
  expect(again).toMatchObject({ ok: true, created: false, tail: 1 });
  const content = world.content("p/fork");
  expect(content.ok && textOf(content.bytes)).toBe("a");
  const other = forkOf({ lifetime: { kind: "ttl", ttlSeconds: 999 } });
  expect(codeOf(await world.ask("p/fork", (stream) => stream.create(other)))).toBe("stream-exists");
});
