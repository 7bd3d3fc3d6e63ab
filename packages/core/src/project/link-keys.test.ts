/** A secret can be removed with all links that were made with it. */

import { beforeEach, describe, expect, it } from "vitest";

import { NodeDatabase } from "../../test/node-database.ts";
import type { FollowerFilter } from "../contracts/fan-out.ts";
import { forgetLinkKeys, noteLinkKey } from "./link-keys.ts";
import { ProjectOwner } from "./owner.ts";
import { PROJECT_SCHEMA } from "./tables/schema.ts";

let database: NodeDatabase;
let alarmAtMs: number | undefined;
let nowMs = 0;
let ids = 0;
let isSilent = false;
let endedLinks: [string, FollowerFilter][] = [];

function nobody(): never {
  throw new Error("There is no such object here.");
}

/** A new instance of the object, on the same disk. */
function newOwner(): ProjectOwner {
  const host = {
    now: () => nowMs,
    newKid: () => `kid${(ids += 1)}`,
    newSecret: () => "x".repeat(43),
    publish: async () => undefined,
    removeStream: async () => undefined,
    subscription: nobody,
    registryStream: nobody,
    followers: (source: string) => ({
      endLinks: async (filter: FollowerFilter) => {
        if (isSilent) throw new Error("The followers do not answer.");
        endedLinks.push([source, filter]);
        return { ended: 1 };
      },
    }),
    clearAlarm: () => void (alarmAtMs = undefined),
    setAlarm: (atMs: number) => void (alarmAtMs = atMs),
    sync: async () => undefined,
    report: () => undefined,
  };
  return new ProjectOwner(database, host, "p");
}

beforeEach(() => {
  database = new NodeDatabase(PROJECT_SCHEMA);
  alarmAtMs = undefined;
  nowMs = 1_000_500;
  ids = 0;
  isSilent = false;
  endedLinks = [];
});

describe("links that a secret has made", () => {
  async function twoSecrets(): Promise<void> {
    await newOwner().create({ name: "p", settings: {}, secret: undefined });
    await newOwner().addSecret(undefined);
  }

  async function fireAlarms(): Promise<void> {
    for (let firings = 0; alarmAtMs !== undefined; firings += 1) {
      expect(firings).toBeLessThan(20);
      nowMs = Math.max(nowMs, alarmAtMs);
      await newOwner().alarm();
    }
  }

  it("[SE7] end with it where that is asked for, each once, and those of others go on", async () => {
    await twoSecrets();
    const sources = Array.from({ length: 120 }, (_, index) => `p/room-${String(index).padStart(3, "0")}`);
    for (const source of sources) noteLinkKey(database, { kid: "kid1", source, token: 1 });
    noteLinkKey(database, { kid: "kid2", source: "p/other", token: 1 });
    expect(await newOwner().removeSecret("kid1", true)).toMatchObject({ ok: true });
    await fireAlarms();
    expect(endedLinks).toEqual(sources.map((source) => [source, { kid: "kid1" }]));
    expect(noteLinkKey(database, { kid: "kid1", source: "p/late", token: 2 })).toBe(false);
    expect(noteLinkKey(database, { kid: "kid2", source: "p/late", token: 2 })).toBe(true);
  });

  it("stay where that is not asked for", async () => {
    await twoSecrets();
    noteLinkKey(database, { kid: "kid1", source: "p/room", token: 1 });
    expect(await newOwner().removeSecret("kid1", false)).toMatchObject({ ok: true });
    await fireAlarms();
    expect(endedLinks).toEqual([]);
  });

  it("end later when the followers do not answer, also after a restart", async () => {
    await twoSecrets();
    noteLinkKey(database, { kid: "kid1", source: "p/room", token: 1 });
    isSilent = true;
    await newOwner().removeSecret("kid1", true);
    nowMs = alarmAtMs ?? 0;
    await newOwner().alarm();
    expect([endedLinks, alarmAtMs !== undefined]).toEqual([[], true]);
    isSilent = false;
    await fireAlarms();
    expect(endedLinks).toEqual([["p/room", { kid: "kid1" }]]);
  });

  it("can be asked to end once more when the answer was lost, but not with the last secret", async () => {
    await twoSecrets();
    await newOwner().removeSecret("kid1", true);
    expect(await newOwner().removeSecret("kid1", true)).toMatchObject({ ok: true });
    expect(await newOwner().removeSecret("kid2", true)).toMatchObject({ problem: { code: "secret-last" } });
    expect(noteLinkKey(database, { kid: "kid2", source: "p/room", token: 1 })).toBe(true);
  });

  it("are forgotten with the following that they belong to, and not with an earlier one", async () => {
    await twoSecrets();
    noteLinkKey(database, { kid: "kid1", source: "p/room", token: 5 });
    forgetLinkKeys(database, "p/room", 4);
    noteLinkKey(database, { kid: "kid1", source: "p/gone", token: 5 });
    forgetLinkKeys(database, "p/gone", 5);
    await newOwner().removeSecret("kid1", true);
    await fireAlarms();
    expect(endedLinks.map(([source]) => source)).toEqual(["p/room"]);
  });
});
