import type { ProblemCode } from "@durable-streams-cloudflare/protocol";
import { beforeEach, describe, expect, it } from "vitest";

import { FakeRegistry } from "../../test/fake-registry.ts";
import { NodeDatabase } from "../../test/node-database.ts";
import { rowsOf } from "../../test/stored-rows.ts";
import type { StreamChange } from "../contracts/wakes.ts";
import { ProjectOwner } from "./owner.ts";
import { registryEventsTable } from "./tables/registry-event-rows.ts";
import { insertEvent } from "./tables/registry-event-rows.ts";
import { PROJECT_SCHEMA } from "./tables/schema.ts";
import { registerConsumer } from "./wake-interest.ts";

const SECRET = "x".repeat(32);

let database: NodeDatabase;
let published: (string | null)[] = [];
let failures = 0;
let alarmAtMs: number | undefined;
let ids = 0;
let nowMs = 0;
let removed: string[] = [];
/** The changes that the subscriptions got, if they answer. */
let notified: StreamChange[] = [];
let isSilent = false;
let registry: FakeRegistry;

/** A new instance of the object, on the same disk. */
function newOwner(): ProjectOwner {
  const host = {
    now: () => nowMs,
    newKid: () => `kid${(ids += 1)}`,
    newSecret: () => `made${ids}`.padEnd(43, "x"),
    publish: async (_name: string, record: string | null) => {
      if (failures > 0) {
        failures -= 1;
        throw new Error("KV takes one write a second.");
      }
      published.push(record);
    },
    removeStream: async (project: string, stream: string) => {
      if (stream === "stuck") throw new Error("The stream does not answer.");
      removed.push(`${project}/${stream}`);
      if (stream === "__registry__") registry = new FakeRegistry();
    },
    subscription: (_project: string, id: string) => ({
      discover: async (change: StreamChange) => {
        if (isSilent) throw new Error("The subscription does not answer.");
        notified.push(change);
      },
      remove: async () => void removed.push(`p/${id}`),
    }),
    followers: () => {
      throw new Error("There are no followers here.");
    },
    registryStream: () => registry,
    clearAlarm: () => void (alarmAtMs = undefined),
    setAlarm: (atMs: number) => void (alarmAtMs = atMs),
    sync: async () => undefined,
    report: () => undefined,
  };
  return new ProjectOwner(database, host, "p");
}

const create = (secret?: string) => newOwner().create({ name: "p", settings: {}, secret });

function lastPublished(): { secrets: { kid: string; secret: string }[]; readUrlsFromMs: number } {
  return JSON.parse(published.at(-1) ?? "null") as ReturnType<typeof lastPublished>;
}

beforeEach(() => {
  database = new NodeDatabase(PROJECT_SCHEMA);
  published = [];
  failures = 0;
  alarmAtMs = undefined;
  ids = 0;
  nowMs = 1_000_500;
  removed = [];
  notified = [];
  isSilent = false;
  registry = new FakeRegistry();
});

describe("secrets", () => {
  it("[PJ1] are shown when they are made, and never again", async () => {
    const created = await create(SECRET);
    expect(created).toMatchObject({ ok: true, secret: { kid: "kid1", secret: SECRET } });
    const added = await newOwner().addSecret(undefined);
    if (!created.ok || !added.ok) throw new Error("not made");
    const updated = await newOwner().update({ audience: "a" });
    for (const secret of [SECRET, added.secret.secret]) expect(JSON.stringify(updated)).not.toContain(secret);
    expect(JSON.stringify(created.project)).not.toContain(SECRET);
    expect(updated).toMatchObject({ ok: true, project: { secrets: [{ kid: "kid2" }, { kid: "kid1" }] } });
  });

  it("[PJ2] rotate: the new one is first, the old one goes, the last one stays", async () => {
    await create();
    await newOwner().addSecret(undefined);
    expect(lastPublished().secrets.map(({ kid }) => kid)).toEqual(["kid2", "kid1"]);
    expect(await newOwner().removeSecret("kid1", false)).toMatchObject({ ok: true });
    expect(await newOwner().removeSecret("kid1", false)).toMatchObject({
      ok: false,
      problem: { code: "secret-not-found" },
    });
    expect(await newOwner().removeSecret("kid2", false)).toMatchObject({ ok: false, problem: { code: "secret-last" } });
    expect(lastPublished().secrets.map(({ kid }) => kid)).toEqual(["kid2"]);
  });

  it("that are added by two managers at once are both kept", async () => {
    await create();
    const owner = newOwner();
    await Promise.all([owner.addSecret(undefined), owner.addSecret(undefined)]);
    expect(lastPublished().secrets).toHaveLength(3);
  });

  it("are at most eight", async () => {
    await create();
    for (let count = 1; count < 8; count += 1) expect((await newOwner().addSecret(undefined)).ok).toBe(true);
    expect(await newOwner().addSecret(undefined)).toMatchObject({ ok: false, problem: { code: "settings-invalid" } });
  });
});

describe("a change that KV does not take", () => {
  it("is stored nevertheless, and published by the alarm, also after a restart", async () => {
    failures = 2;
    await create();
    expect(published).toEqual([]);
    await newOwner().alarm();
    expect(alarmAtMs).toBe(1_002_500);
    await newOwner().alarm();
    expect(lastPublished().secrets).toHaveLength(1);
    await newOwner().alarm();
    expect(published).toHaveLength(1);
  });
});

describe("a project", () => {
  it("[PJ1] is created once", async () => {
    await create();
    expect(await create()).toMatchObject({ ok: false, problem: { code: "project-exists" } });
  });

  it("that does not exist cannot be changed, and asking stores nothing", async () => {
    const owner = newOwner();
    for (const result of [
      owner.update({}),
      owner.addSecret(undefined),
      owner.removeSecret("k", false),
      owner.remove(),
      owner.revokeReadUrls(),
    ]) {
      expect(await result).toMatchObject({ ok: false, problem: { code: "project-not-found" } });
    }
    expect(database.rowsWritten).toBe(0);
  });

  it("[PJ13] that is removed is gone from KV at once, and may be created anew after two minutes", async () => {
    await create();
    expect(await newOwner().remove()).toEqual({ ok: true });
    expect(published.at(-1)).toBeNull();
    expect(await create()).toMatchObject({ ok: false, problem: { code: "project-removing" } });
    nowMs += 120_000;
    expect(await create()).toMatchObject({ ok: true, project: { secrets: [{ kid: "kid2" }] } });
  });

  it("[PJ7] revokes its read URLs from the next second on", async () => {
    await create();
    await newOwner().revokeReadUrls();
    expect(lastPublished().readUrlsFromMs).toBe(1_001_000);
  });
});

const created = (stream: string, incarnation = 1) => ({
  stream,
  incarnation,
  contentType: "text/plain",
  atMs: incarnation,
});
const ended = (stream: string, incarnation = 1) => ({ stream, incarnation, contentType: null, atMs: incarnation });

function listed(prefix = "", after = "", limit = 100): readonly string[] {
  const page = newOwner().list({ prefix, after, limit });
  return page.ok ? page.streams.map(({ name }) => name) : [];
}

describe("the directory", () => {
  it("[PJ11] lists streams by prefix, page by page, in the order of their bytes", async () => {
    const names = ["b", "a/2", "a/1", "a", "é", "a/10", "\u{10ffff}", "A"];
    for (const name of names) await newOwner().note(created(name));
    expect(listed()).toEqual(["A", "a", "a/1", "a/10", "a/2", "b", "é", "\u{10ffff}"]);
    expect(listed("a/")).toEqual(["a/1", "a/10", "a/2"]);
    expect(listed("é")).toEqual(["é"]);
    const pages: string[][] = [];
    for (let after: string | null = ""; after !== null;) {
      const page = newOwner().list({ prefix: "a", after, limit: 3 });
      if (!page.ok) throw new Error("no page");
      pages.push(page.streams.map(({ name }) => name));
      after = page.cursor;
    }
    expect(pages).toEqual([["a", "a/1", "a/10"], ["a/2"]]);
  });

  it("[PJ11] accepts a notice again, or late, without harm", async () => {
    const owner = newOwner();
    await owner.note(created("s", 5));
    await owner.note(created("s", 5));
    await owner.note(created("s", 4));
    await owner.note(ended("s", 4));
    expect(listed()).toEqual(["s"]);
    await owner.note(created("s", 6));
    await owner.note(ended("s", 6));
    await owner.note(ended("s", 6));
    expect(owner.list({ prefix: "", after: "", limit: 1 })).toMatchObject({
      streams: [],
      counters: { streams: 0, created: 2, ended: 2 },
    });
  });

  it("[IN17] writes three rows for a stream that is made", async () => {
    await newOwner().note(created("a"));
    const before = database.rowsWritten;
    await newOwner().note(created("b"));
    expect(database.rowsWritten - before).toBe(3);
  });
});

describe("a removed project's streams", () => {
  it("[PJ13] are deleted a page at a time, by one alarm after the other, those that are made meanwhile included", async () => {
    await create();
    for (let count = 0; count < 60; count += 1) await newOwner().note(created(`s${count}`));
    await newOwner().remove();
    await newOwner().alarm();
    expect(removed).toHaveLength(50);
    expect(alarmAtMs).toBeGreaterThan(nowMs);
    await newOwner().note(created("late"));
    expect(alarmAtMs).toBe(nowMs);
    await newOwner().alarm();
    expect(new Set(removed).size).toBe(61);
    await newOwner().alarm();
    expect(alarmAtMs).toBeUndefined();
  });

  it("that cannot be deleted now are tried again, and delay no others", async () => {
    await create();
    for (const name of ["stuck", "other"]) await newOwner().note(created(name));
    await newOwner().remove();
    await newOwner().alarm();
    expect(removed).toEqual(["p/other"]);
    expect(listed()).toEqual(["stuck"]);
    nowMs += 120_000;
    expect(await create()).toMatchObject({ ok: false, problem: { code: "project-removing" } });
    await newOwner().alarm();
    expect(alarmAtMs).toBe(nowMs + 1_000);
  });
});

describe("the registry", () => {
  let incarnations = 0;

  const made = (stream: string) =>
    newOwner().note({ stream, incarnation: (incarnations += 1), contentType: "text/plain", atMs: 7 });
  const ended = (stream: string) => newOwner().note({ stream, incarnation: incarnations, contentType: null, atMs: 8 });
  const insert = (name: string): string =>
    `{"type":"stream","key":"${name}","value":{"path":"${name}","contentType":"text/plain","createdAt":7},"headers":{"operation":"insert"}},`;
  const remove = (name: string): string => `{"type":"stream","key":"${name}","headers":{"operation":"delete"}},`;

  /** As often as the alarm fires. */
  async function fireAlarm(): Promise<void> {
    for (let firings = 0; alarmAtMs !== undefined; firings += 1) {
      if (firings > 100) throw new Error("The alarm never rests.");
      nowMs = Math.max(nowMs, alarmAtMs);
      alarmAtMs = undefined;
      await newOwner().alarm();
    }
  }

  it("[PJ12] gets each change once, in order, and then no alarm is set", async () => {
    await made("a");
    await made("b");
    await ended("b");
    await fireAlarm();
    await made("b");
    await fireAlarm();
    expect(registry.messages).toEqual([insert("a"), insert("b"), remove("b"), insert("b")]);
    expect(rowsOf(database, registryEventsTable)).toHaveLength(1);
    const { calls } = registry;
    await newOwner().alarm();
    expect([registry.calls, alarmAtMs]).toEqual([calls, undefined]);
  });

  it("gets a change at once, and no later because more changes come meanwhile", async () => {
    const owner = newOwner();
    const firstAtMs = nowMs;
    for (const name of ["a", "b", "c"]) {
      await owner.note(created(name));
      nowMs += 100;
    }
    expect(alarmAtMs).toBe(firstAtMs);
    nowMs += 5_000;
    await owner.note(created("d"));
    expect(alarmAtMs).toBe(nowMs);
  });

  it("gets nothing of a notification that is repeated, or older than what is known", async () => {
    const notice = { stream: "a", incarnation: 5, contentType: "text/plain", atMs: 7 };
    for (const notification of [
      notice,
      notice,
      { ...notice, incarnation: 4 },
      { ...notice, incarnation: 4, contentType: null },
    ]) {
      await newOwner().note(notification);
    }
    await fireAlarm();
    expect(registry.messages).toEqual([insert("a")]);
  });

  it("learns that a stream was replaced although nobody reported its end", async () => {
    await made("a");
    await made("a");
    await fireAlarm();
    expect(registry.messages).toEqual([insert("a"), remove("a"), insert("a")]);
  });

  it.each(["before", "after", "half"] as const)(
    "[PJ12] gets each change once when a call fails %s, and more come meanwhile",
    async (fault) => {
      await made("first");
      await fireAlarm();
      const names = Array.from({ length: 20 }, (_, index) => `s${index}`);
      for (const name of names) {
        registry.faults.push(fault);
        await made(name);
        await newOwner().alarm();
      }
      registry.faults.length = 0;
      await fireAlarm();
      expect(registry.messages).toEqual(["first", ...names].map(insert));
    },
  );

  it("gets more changes than fit into one call", async () => {
    const names = Array.from({ length: 600 }, (_, index) => `s${index}`);
    for (const name of names) await made(name);
    await fireAlarm();
    expect(registry.messages).toEqual(names.map(insert));
    expect(registry.calls).toBeLessThan(10);
  });

  it("that does not answer stops the directory at ten thousand changes, and nothing is lost", async () => {
    registry.faults.push(...Array.from({ length: 20_000 }, () => "before" as const));
    await registry.create();
    database.transaction(() => {
      for (let count = 0; count < 10_000; count += 1) {
        insertEvent(database, { name: `s${count}`, contentType: "text/plain", atMs: 7 });
      }
    });
    await expect(made("more")).rejects.toThrow("fallen behind");
    expect(newOwner().counters().streams).toBe(0);
    registry.faults.length = 0;
    await newOwner().alarm();
    await made("more");
    await fireAlarm();
    expect(registry.messages).toHaveLength(10_001);
  });

  it.each<["is lost" | ProblemCode]>([["is lost"], ["producer-gap"], ["producer-epoch-stale"], ["stream-closed"]])(
    "that %s is made anew, with everything that exists, and then with what comes",
    async (what) => {
      const names = Array.from({ length: 300 }, (_, index) => `s${String(index).padStart(3, "0")}`);
      for (const name of [...names, "t"]) await made(name);
      await ended("t");
      await fireAlarm();
      registry = new FakeRegistry();
      if (what !== "is lost") {
        await registry.create();
        registry.rejection = what;
      }
      await made("late");
      await fireAlarm();
      expect(removed).toEqual(["p/__registry__"]);
      expect(registry.messages).toEqual(["late", ...names].map(insert));
      await made("later");
      await fireAlarm();
      expect(registry.messages.slice(301)).toEqual([insert("later")]);
      expect(alarmAtMs).toBeUndefined();
    },
  );

  it("that cannot take an append now is asked again, and nothing is made anew", async () => {
    await made("a");
    await fireAlarm();
    registry.rejection = "overloaded";
    await made("b");
    await newOwner().alarm();
    registry.rejection = undefined;
    await fireAlarm();
    expect([removed, registry.messages]).toEqual([[], [insert("a"), insert("b")]]);
  });

  it("of a removed project goes after its streams, and that of a new one begins anew", async () => {
    await create();
    await made("a");
    await fireAlarm();
    await newOwner().remove();
    await made("late");
    await fireAlarm();
    expect(removed).toEqual(["p/a", "p/late", "p/__registry__"]);
    nowMs += 120_000;
    expect((await create()).ok).toBe(true);
    await made("b");
    await fireAlarm();
    expect(registry.messages).toEqual([insert("b")]);
  });
});

it("a stream's notification is kept until every subscription has answered, and goes with its project", async () => {
  await create();
  registerConsumer(database, "x", { type: "webhook", createdAtMs: 1, pattern: "**", streams: [] });
  isSilent = true;
  await expect(newOwner().note(created("a"))).rejects.toThrow("does not answer");
  isSilent = false;
  await newOwner().note(created("a"));
  await newOwner().note(created("a"));
  expect(notified.map(({ stream }) => stream)).toEqual(["a"]);
  await newOwner().remove();
  await newOwner().alarm();
  expect(removed).toEqual(["p/x", "p/a"]);
});
