import { assertProperty, utf8 } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { LimitedProject } from "../../test/limited-project.ts";
import { appendOf, createOf } from "../../test/stream-fixture.ts";
import { allowBytes } from "./quota-grants.ts";

const KIB = 1024;
const MIB = KIB * KIB;

describe("the number of bytes that a stream is granted", () => {
  it.each([
    ["nothing more than it wants where nothing more is left", 100, 90, 0, 10, 10],
    ["what it stores where it cannot have what it wants", 100, 90, 5, 11, 5],
    ["nothing more than it wants where little is left", 64 * KIB, 0, 0, 1, 1],
    ["a sixteenth of what is left at the most", 161 * MIB, 0, 0, 145 * MIB, 146 * MIB],
    ["4 KiB to spare at least", MIB, 0, 0, 100, 100 + 4 * KIB],
    ["a sixteenth of what it stores to spare", 1_000 * MIB, 0, 0, 16 * MIB, 17 * MIB],
    ["4 MiB to spare at the most", 100_000 * MIB, 0, 0, 1_000 * MIB, 1_004 * MIB],
    ["nothing to spare when it asks for nothing", MIB, 0, 100, 100, 100],
    ["what it stores when a lower limit came later", 100, 200, 50, 51, 50],
  ])("is %s", (_what, limit, others, stored, wanted, quotaGrant) => {
    expect(allowBytes({ limit, others, stored, wanted })).toBe(quotaGrant);
  });

  it("is without end where there is no limit", () => {
    expect(allowBytes({ limit: null, others: 1, stored: 1, wanted: 2 })).toBeNull();
  });
});

const limitedAppend = (size: number) => appendOf("x".repeat(size), { isLimited: true });

async function appendTo(project: LimitedProject, name: string, size: number): Promise<string> {
  const result = await project.stream(name).append(limitedAppend(size));
  return result.ok ? result.outcome : result.problem.code;
}

describe("a project's limit of bytes", () => {
  it("refuses the append that would exceed it, of any stream, until there is space again", async () => {
    const project = await LimitedProject.with({ storedBytes: 10 });
    for (const name of ["a", "b"]) await project.stream(name).create(createOf());
    expect([await appendTo(project, "a", 6), await appendTo(project, "b", 4)]).toEqual(["appended", "appended"]);
    expect(await appendTo(project, "b", 1)).toBe("project-storage-full");
    expect((await project.stream("b").append({ ...appendOf(""), close: true })).ok).toBe(true);
    await project.stream("a").remove();
    await project.fireAlarm("a");
    await project.stream("c").create(createOf());
    expect([await appendTo(project, "c", 6), await appendTo(project, "c", 1)]).toEqual([
      "appended",
      "project-storage-full",
    ]);
    expect(project.bytes).toBe(10);
  });

  it("is asked about once in many appends, and not at all where there is none", async () => {
    const project = await LimitedProject.with({ storedBytes: 1_000 * MIB });
    await project.stream("a").create(createOf());
    for (let count = 0; count < 1_000; count += 1) expect(await appendTo(project, "a", 100)).toBe("appended");
    expect(project.reports.length).toBeLessThan(30);
    const free = await LimitedProject.with({});
    await free.stream("a").create(createOf());
    await free.fireAlarm("a");
    const before = free.reports.length;
    for (let count = 0; count < 10; count += 1) await free.stream("a").append(appendOf("x"));
    expect(free.reports.length).toBe(before);
  });

  it("is known to a stream that has reported its creation, whoever appends then, and after an eviction", async () => {
    const project = await LimitedProject.with({ storedBytes: 10 });
    await project.stream("a").create(createOf({ bytes: utf8("12345678") }));
    await project.fireAlarm("a");
    const append = async (text: string): Promise<boolean> => (await project.evict("a").append(appendOf(text))).ok;
    expect([await append("9"), await append("10!"), await append("0")]).toEqual([true, false, true]);
  });

  it("that is raised, or removed, takes effect a second later", async () => {
    const project = await LimitedProject.with({ storedBytes: 5 });
    await project.stream("a").create(createOf());
    expect([await appendTo(project, "a", 5), await appendTo(project, "a", 1)]).toEqual([
      "appended",
      "project-storage-full",
    ]);
    await project.owner().update({ limits: { storedBytes: 6 } });
    expect(await appendTo(project, "a", 1)).toBe("project-storage-full");
    project.nowMs += 1_000;
    expect([await appendTo(project, "a", 1), await appendTo(project, "a", 1)]).toEqual([
      "appended",
      "project-storage-full",
    ]);
    await project.owner().update({ limits: { storedBytes: null } });
    project.nowMs += 1_000;
    for (let count = 0; count < 3; count += 1) expect(await appendTo(project, "a", 100)).toBe("appended");
  });

  it("recognises what was stored before: a producer's append, and a call that is repeated", async () => {
    const project = await LimitedProject.with({ storedBytes: 2 });
    const stream = project.stream("a");
    await stream.create(createOf());
    const producer = appendOf("1", { isLimited: true, producer: { id: "p", epoch: 0, seq: 0 } });
    const requestId = appendOf("2", { isLimited: true, attempt: "a" });
    for (const _try of [1, 2]) {
      expect(await stream.append(producer)).toMatchObject({ ok: true });
      expect(await stream.append(requestId)).toMatchObject({ ok: true });
    }
    expect(await appendTo(project, "a", 1)).toBe("project-storage-full");
  });

  it("limits nobody while the project does not answer, which delays no append for long", async () => {
    const project = await LimitedProject.with({ storedBytes: 5 });
    await project.stream("a").create(createOf());
    await appendTo(project, "a", 5);
    project.isDown = true;
    const before = project.reports.length;
    for (let count = 0; count < 5; count += 1) expect(await appendTo(project, "a", 1)).toBe("appended");
    expect(project.reports.length).toBe(before + 1);
    project.isDown = false;
    project.nowMs += 5_000;
    expect(await appendTo(project, "a", 1)).toBe("project-storage-full");
  });

  it("forgets a stream that ended while it was asking, even when the question arrives last", async () => {
    const project = await LimitedProject.with({ storedBytes: 100 });
    await project.stream("a").create(createOf());
    await project.fireAlarm("a");
    project.onReport = async () => {
      project.onReport = async () => undefined;
      await project.stream("a").remove();
    };
    expect(await appendTo(project, "a", 50)).toBe("stream-not-found");
    expect(project.bytes).toBeGreaterThan(0);
    await project.fireAlarm("a");
    expect(project.bytes).toBe(0);
  });
});

const STEP = fc.record({
  name: fc.constantFrom("a", "b", "c", "d"),
  kind: fc.constantFrom("append", "append", "append", "append", "together", "fireAlarm", "evict", "remove"),
  size: fc.oneof(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 20_000 })),
});

it("[PJ10] what all streams store is never more than the limit, however they append, end, begin anew and forget", async () => {
  let refusals = 0;
  const property = fc.asyncProperty(
    fc.integer({ min: 1, max: 60_000 }),
    fc.array(STEP, { minLength: 20, maxLength: 80 }),
    async (limit, steps) => {
      const project = await LimitedProject.with({ storedBytes: limit });
      for (const { name, kind, size } of steps) {
        const stream = project.stream(name);
        if (!stream.head().ok) await stream.create(createOf());
        const sizes = kind === "append" ? [size] : kind === "together" ? [size, 1, size] : [];
        const results = await Promise.all(sizes.map((each) => stream.append(limitedAppend(each))));
        refusals += results.filter((result) => !result.ok && result.problem.code === "project-storage-full").length;
        if (kind === "evict") project.evict(name);
        if (kind === "remove") await stream.remove();
        if (kind === "fireAlarm") await project.fireAlarm(name);
        const stored = await Promise.all(["a", "b", "c", "d"].map((each) => project.storedBy(each)));
        const total = stored.reduce((sum, bytes) => sum + bytes, 0);
        expect(total).toBeLessThanOrEqual(limit);
        expect(total).toBeLessThanOrEqual(project.bytes);
      }
    },
  );
  await assertProperty("bytes within the limit", property, 60);
  expect(refusals).toBeGreaterThan(0);
});
