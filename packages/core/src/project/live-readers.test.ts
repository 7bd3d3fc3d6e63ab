import { assertProperty } from "@durable-streams-cloudflare/testkit";
import type { FakeSocket } from "@durable-streams-cloudflare/testkit/node-host";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { LimitedProject } from "../../test/limited-project.ts";
import { createOf, LIMITS } from "../../test/stream-fixture.ts";
import type { ReaderBudget } from "../contracts/reader-slots.ts";
import { allowReaders } from "./quota-grants.ts";

const FULL = "project-readers-full";
/** The longest that a reader stays. */
const STAY_MS = LIMITS.sseSessionSeconds * 1_000;
/** Places that are not used any more have come back. */
const OVER_MS = STAY_MS + 15_000;

describe("the number of reader slots that a stream is granted", () => {
  it.each([
    ["are those that it wants", 100, 90, 0, 10, 10],
    ["are as many as there are", 100, 95, 0, 10, 5],
    ["are those that are taken, when a lower limit came later", 100, 200, 7, 8, 7],
    ["are a quarter more, where there are enough", 10_000, 0, 10, 100, 125],
    ["are no more than a sixteenth of what is left beside", 116, 0, 10, 100, 101],
  ])("%s", (_what, limit, others, readers, wanted, readerSlots) => {
    expect(allowReaders({ limit, others, readers, wanted })).toBe(readerSlots);
  });
});

async function projectOf(liveReaders: number | null, ...names: readonly string[]): Promise<LimitedProject> {
  const project = await LimitedProject.with({ liveReaders });
  for (const name of names) await project.stream(name).create(createOf());
  return project;
}

async function comeTogether(
  project: LimitedProject,
  name: string,
  count: number,
  budget: ReaderBudget = "tokens",
): Promise<number> {
  const answers = await Promise.all(Array.from({ length: count }, () => project.attach(name, budget)));
  return answers.filter((answer) => answer !== FULL).length;
}

describe("a project's limit of live readers", () => {
  it("is shared by all its streams, and slots that were left are free again a while later", async () => {
    const project = await projectOf(2, "a", "b");
    const first = (await project.attach("a")) as FakeSocket;
    expect(await project.attach("b")).not.toBe(FULL);
    expect([await project.attach("a"), await project.attach("b")]).toEqual([FULL, FULL]);
    project.host("a").detach(first);
    expect(await project.attach("b")).toBe(FULL);
    project.nowMs += OVER_MS;
    expect(await project.attach("b")).not.toBe(FULL);
  });

  it("is known to the last of readers that come all at once, and to those that come after an eviction", async () => {
    const project = await projectOf(95, "a", "b");
    expect(await comeTogether(project, "a", 80)).toBe(80);
    project.evict("a");
    expect(await comeTogether(project, "b", 30)).toBe(15);
    project.nowMs += 1_000;
    expect(await comeTogether(project, "a", 5)).toBe(0);
  });

  it("is asked about for all readers that come together, and seldom by those that come one after the other", async () => {
    const project = await projectOf(10_000, "a");
    await comeTogether(project, "a", 500);
    expect(project.questions).toBe(2);
    for (let count = 0; count < 100; count += 1) expect(await project.attach("a")).not.toBe(FULL);
    expect(project.questions).toBeLessThan(5);
  });

  it("that is removed, or whose project does not answer, limits nobody, and is asked about again", async () => {
    const project = await projectOf(1, "a");
    expect([await comeTogether(project, "a", 2)]).toEqual([1]);
    await project.owner().update({ limits: { liveReaders: null } });
    project.nowMs += 1_000;
    expect(await comeTogether(project, "a", 2)).toBe(2);
    await project.owner().update({ limits: { liveReaders: 1 } });
    project.nowMs += 1_000;
    expect(await project.attach("a")).toBe(FULL);
    project.isDown = true;
    project.nowMs += 1_000;
    expect(await comeTogether(project, "a", 2)).toBe(2);
    project.isDown = false;
    project.nowMs += 5_000;
    expect(await project.attach("a")).toBe(FULL);
  });
});

describe("readers without a token", () => {
  it("[PJ10] have slots of their own, as many as there are for tokens, and take none of those", async () => {
    const project = await projectOf(2, "a", "b");
    expect(await comeTogether(project, "a", 5, "public")).toBe(2);
    expect(await comeTogether(project, "b", 5)).toBe(2);
    expect(await project.attach("b", "public")).toBe(FULL);
    project.evict("a");
    project.evict("b");
    project.nowMs += 1_000;
    expect([await project.attach("a"), await project.attach("a", "public")]).toEqual([FULL, FULL]);
  });

  it("have as many slots as the project says, also where tokens have no limit", async () => {
    const project = await LimitedProject.with({ liveReaders: null, publicLiveReaders: 3 });
    await project.stream("a").create(createOf());
    expect(await comeTogether(project, "a", 5, "public")).toBe(3);
    expect(await comeTogether(project, "a", 5)).toBe(5);
  });
});

const STEP = fc.record({
  name: fc.constantFrom("a", "b", "c"),
  budget: fc.constantFrom("tokens", "public"),
  kind: fc.constantFrom("come", "come", "come", "leave", "wait", "evict"),
  amount: fc.integer({ min: 1, max: 12 }),
});

it("[PJ10] never do more readers of one kind wait than the limit, however they come, leave and come back", async () => {
  let refusals = 0;
  const property = fc.asyncProperty(
    fc.integer({ min: 1, max: 30 }),
    fc.array(STEP, { minLength: 20, maxLength: 100 }),
    async (limit, steps) => {
      const project = await projectOf(limit, "a", "b", "c");
      let waiting: { readonly name: string; readonly socket: FakeSocket; readonly leavesAtMs: number }[] = [];
      const waitingOf = (isPublic: boolean): number =>
        waiting.filter(({ socket }) => socket.isPublic === isPublic).length;
      const leave = (isLeaving: (reader: (typeof waiting)[number], index: number) => boolean): void => {
        for (const { name, socket } of waiting.filter(isLeaving)) project.host(name).detach(socket);
        waiting = waiting.filter((reader, index) => !isLeaving(reader, index));
      };
      for (const { name, budget, kind, amount } of steps) {
        const coming = kind === "come" ? amount : 0;
        for (const answer of await Promise.all(Array.from({ length: coming }, () => project.attach(name, budget)))) {
          if (typeof answer === "string") refusals += 1;
          else waiting.push({ name, socket: answer, leavesAtMs: project.nowMs + STAY_MS });
        }
        if (kind === "leave") leave((_, index) => index < amount);
        if (kind === "evict") project.evict(name);
        if (kind === "wait") project.nowMs += amount * 3_000;
        leave(({ leavesAtMs }) => leavesAtMs <= project.nowMs);
        for (const isPublic of [false, true]) expect(waitingOf(isPublic)).toBeLessThanOrEqual(limit);
      }
    },
  );
  await assertProperty("readers within the limit", property, 100);
  expect(refusals).toBeGreaterThan(0);
});
