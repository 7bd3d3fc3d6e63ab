import { NodeDatabase } from "@durable-streams-cloudflare/testkit/node-host";
import { beforeEach, describe, expect, it } from "vitest";

import { ProjectOwner } from "./owner.ts";

const SECRET = "x".repeat(32);

let database: NodeDatabase;
let published: (string | null)[] = [];
let failures = 0;
let alarmAtMs: number | undefined;
let ids = 0;

/** A new life of the object, on the same disk. */
function newOwner(): ProjectOwner {
  const host = {
    now: () => 1_000_500,
    newKid: () => `kid${(ids += 1)}`,
    newSecret: () => `made${ids}`.padEnd(43, "x"),
    publish: async (_name: string, record: string | null) => {
      if (failures > 0) {
        failures -= 1;
        throw new Error("KV takes one write a second.");
      }
      published.push(record);
    },
    setAlarm: (atMs: number) => void (alarmAtMs = atMs),
    sync: async () => undefined,
  };
  return new ProjectOwner(database, host, "p");
}

const create = (secret?: string) => newOwner().create({ name: "p", settings: {}, secret });

function lastPublished(): { secrets: { kid: string; secret: string }[]; readUrlsFromMs: number } {
  return JSON.parse(published.at(-1) ?? "null") as ReturnType<typeof lastPublished>;
}

beforeEach(() => {
  database = new NodeDatabase();
  published = [];
  failures = 0;
  alarmAtMs = undefined;
  ids = 0;
});

describe("secrets", () => {
  it("are shown when they are made, and never again", async () => {
    const created = await create(SECRET);
    expect(created).toMatchObject({ ok: true, secret: { kid: "kid1", secret: SECRET } });
    const added = await newOwner().addSecret(undefined);
    if (!created.ok || !added.ok) throw new Error("not made");
    const updated = await newOwner().update({ audience: "a" });
    for (const secret of [SECRET, added.secret.secret]) expect(JSON.stringify(updated)).not.toContain(secret);
    expect(JSON.stringify(created.project)).not.toContain(SECRET);
    expect(updated).toMatchObject({ ok: true, project: { secrets: [{ kid: "kid2" }, { kid: "kid1" }] } });
  });

  it("rotate: the new one is first, the old one goes, the last one stays", async () => {
    await create();
    await newOwner().addSecret(undefined);
    expect(lastPublished().secrets.map(({ kid }) => kid)).toEqual(["kid2", "kid1"]);
    expect(await newOwner().removeSecret("kid1")).toMatchObject({ ok: true });
    expect(await newOwner().removeSecret("kid1")).toMatchObject({ ok: false, problem: { code: "secret-not-found" } });
    expect(await newOwner().removeSecret("kid2")).toMatchObject({ ok: false, problem: { code: "secret-last" } });
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
  it("is made all the same, and published by the alarm, also after a restart", async () => {
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
  it("is created once", async () => {
    await create();
    expect(await create()).toMatchObject({ ok: false, problem: { code: "project-exists" } });
  });

  it("that does not exist cannot be changed, and asking stores nothing", async () => {
    const owner = newOwner();
    for (const result of [
      owner.update({}),
      owner.addSecret(undefined),
      owner.removeSecret("k"),
      owner.remove(),
      owner.revokeReadUrls(),
    ]) {
      expect(await result).toMatchObject({ ok: false, problem: { code: "project-not-found" } });
    }
    expect(database.rowsWritten).toBe(0);
  });

  it("that is removed is gone from KV, and may be created anew with other keys", async () => {
    await create();
    expect(await newOwner().remove()).toEqual({ ok: true });
    expect(published.at(-1)).toBeNull();
    expect(await create()).toMatchObject({ ok: true, project: { secrets: [{ kid: "kid2" }] } });
  });

  it("revokes its read URLs from the next second on", async () => {
    await create();
    await newOwner().revokeReadUrls();
    expect(lastPublished().readUrlsFromMs).toBe(1_001_000);
  });
});
