/** A link is a grant: it remembers who made it, may have an end, is seen, and can be taken back. */

import type { FollowerFilter, FollowerPage, LinkFormat } from "@durable-streams-cloudflare/core/contracts/fan-out";
import type { FollowerSet } from "@durable-streams-cloudflare/core/fan-out/source/follower-set";
import { linksTable } from "@durable-streams-cloudflare/core/fan-out/source/tables";
import { rowsOf } from "@durable-streams-cloudflare/core/test/stored-rows";
import { appendOf } from "@durable-streams-cloudflare/core/test/stream-fixture";
import { settled } from "@durable-streams-cloudflare/testkit/node-host";
import { beforeEach, describe, expect, it } from "vitest";

import { clientsOf, SESSION, START, TTL_SECONDS } from "../../src/drivers/fan-out-clients.ts";
import { unwrap, FanOutWorld } from "../../src/worlds/fan-out-world.ts";

const SOURCE = "p/chat";
const KEY = { kid: "key-1", user: "ann" };
const FORMATS: readonly LinkFormat[] = ["raw", "envelope"];

let world: FanOutWorld;

beforeEach(() => {
  world = new FanOutWorld();
});

const { source, publish, subscribe, aSecond, envelopes } = clientsOf(() => world);

function askFollowers<Answer>(ask: (followers: FollowerSet) => Answer | Promise<Answer>): Promise<Answer> {
  return world.ask(`followers:${SOURCE}`, (core) => ask(core as FollowerSet));
}

function endLinks(filter: FollowerFilter): Promise<{ ended: number }> {
  return askFollowers((followers) => followers.endLinks(filter));
}

function followers(after = "", limit = 10): Promise<FollowerPage> {
  return askFollowers((followers) => followers.followers({ after, limit }));
}

/** The texts that a session holds, and the controls among them. */
function held(format: LinkFormat, session = SESSION): string {
  if (format === "raw") return world.content(session) ?? "";
  const messages = envelopes(session) as { readonly data?: string; readonly control?: string }[];
  return messages.map(({ data, control }) => data ?? `<${control}>`).join("");
}

async function followed(): Promise<readonly string[]> {
  const result = unwrap(await world.askEstuary(SESSION, (estuary) => estuary.describe()));
  return result.subscriptions.map((subscription) => subscription.source);
}

describe.each(FORMATS)("a session of format %s", (format) => {
  const ended = (end: string): string => (format === "raw" ? "" : `<${end}>`);

  it("[SE6] whose link is taken back gets nothing more, learns that, and may follow anew", async () => {
    await source("chat");
    unwrap(await subscribe([SOURCE], { format, grant: KEY }));
    await publish(SOURCE, "one;");
    await aSecond();
    expect(await endLinks({ session: SESSION })).toEqual({ ended: 1 });
    await publish(SOURCE, "two;");
    await aSecond();
    expect(held(format)).toBe(`one;${ended("revoked")}`);
    expect(await followed()).toEqual([]);
    expect(world.leftovers(`followers:${SOURCE}`)).toEqual([]);
    unwrap(await subscribe([SOURCE], { format, grant: { kid: "key-2" } }));
    await publish(SOURCE, "three;");
    await aSecond();
    expect(held(format)).toBe(`one;${ended("revoked")}three;`);
  });

  it("[SE6] gets nothing that is published after the end of its link, also when nothing ran to see it end", async () => {
    await source("chat");
    const expiresAtMs = world.nowMs + 10_000;
    unwrap(await subscribe([SOURCE], { format, grant: { ...KEY, expiresAtMs } }));
    await publish(SOURCE, "one;");
    await world.fireAlarmsUntil(world.nowMs + 9_000);
    const { database } = world.host(`followers:${SOURCE}`);
    world.crash(`followers:${SOURCE}`);
    world.host(`followers:${SOURCE}`).clearAlarm();
    world.nowMs += 2_000;
    expect(rowsOf(database, linksTable)).toMatchObject([{ ended: null }]);
    await publish(SOURCE, "two;");
    await aSecond();
    expect(held(format)).toBe(`one;${ended("expired")}`);
    expect(await followed()).toEqual([]);
  });

  it("[SE6] learns from the alarm that its link has ended", async () => {
    await source("chat");
    unwrap(await subscribe([SOURCE], { format, grant: { ...KEY, expiresAtMs: world.nowMs + 10_000 } }));
    expect(unwrap(await world.askEstuary(SESSION, (estuary) => estuary.describe())).subscriptions).toMatchObject([
      { expiresAtMs: world.nowMs + 10_000 },
    ]);
    await world.fireAlarmsUntil(world.nowMs + 11_000);
    expect(held(format)).toBe(ended("expired"));
    expect(await followed()).toEqual([]);
  });

  it("follows on when its link is given another end, or another key, before", async () => {
    await source("chat");
    unwrap(await subscribe([SOURCE], { format, grant: { ...KEY, expiresAtMs: world.nowMs + 10_000 } }));
    unwrap(await subscribe([SOURCE], { format, grant: { kid: "key-2", expiresAtMs: world.nowMs + 60_000 } }));
    expect(await endLinks({ kid: "key-1" })).toEqual({ ended: 0 });
    await world.fireAlarmsUntil(world.nowMs + 30_000);
    await publish(SOURCE, "one;");
    await aSecond();
    expect(held(format)).toBe("one;");
    expect((await followers()).followers).toMatchObject([
      { session: SESSION, kid: "key-2", user: null, expiresAtMs: world.nowMs - 31_000 + 60_000 },
    ]);
  });

  it("that cannot be notified now is notified later, and gets nothing meanwhile", async () => {
    await source("chat");
    unwrap(await subscribe([SOURCE], { format, grant: KEY }));
    await publish(SOURCE, "one;");
    await aSecond();
    await endLinks({ kid: KEY.kid });
    world.isHeld = true;
    for (let lost = 0; lost < 4; lost += 1) {
      await world.fireNextAlarm(world.nowMs + 20_000);
      await settled();
      while (world.heldCount > 0) await world.release(0, lost < 3 ? "lost" : "late");
    }
    await world.releaseAll();
    await publish(SOURCE, "two;");
    await world.fireAlarmsUntil(world.nowMs + 60_000);
    expect(held(format)).toBe(`one;${ended("revoked")}`);
    expect(await followed()).toEqual([]);
    expect(world.leftovers(`followers:${SOURCE}`)).toEqual([]);
  });

  it.each([
    { about: "was closed", end: () => world.stream(SOURCE).append(appendOf("", { close: true })), notice: "closed" },
    { about: "was deleted and made anew", end: () => world.stream(SOURCE).remove(), notice: "deleted" },
  ])("may follow a source anew that $about, without unsubscribing", async ({ end, notice }) => {
    await source("chat");
    unwrap(await subscribe([SOURCE], { format }));
    await end();
    await aSecond();
    expect(await followed()).toEqual([]);
    if (notice === "closed") unwrap(await world.stream(SOURCE).remove());
    await source("chat");
    unwrap(await subscribe([SOURCE], { format }));
    await publish(SOURCE, "two;");
    await aSecond();
    expect(held(format)).toBe(`${ended(notice)}two;`);
  });
});

it("[SE7] links are taken back by key or by user, and those of others go on", async () => {
  await source("chat");
  const grants = [KEY, { kid: "key-1", user: "bob" }, { kid: "key-2", user: "ann" }, { kid: "key-2", user: "bob" }];
  for (const [index, grant] of grants.entries()) {
    unwrap(await subscribe([SOURCE], { session: `p/s${index}`, grant }));
  }
  expect(await endLinks({ kid: "key-1" })).toEqual({ ended: 2 });
  expect(await endLinks({ user: "ann" })).toEqual({ ended: 1 });
  await publish(SOURCE, "one;");
  await aSecond();
  expect(grants.map((_, index) => world.content(`p/s${index}`))).toEqual(["", "", "", "one;"]);
});

it("[SE7] followers are listed in pages, with whoever made their links", async () => {
  await source("chat");
  for (const name of ["a", "b", "c"]) unwrap(await subscribe([SOURCE], { session: `p/${name}`, grant: KEY }));
  const first = await followers("", 2);
  expect(first).toMatchObject({ followers: [{ session: "p/a", ...KEY }, { session: "p/b" }], hasMore: true });
  expect(first.followers[0]).toMatchObject({ format: "raw", expiresAtMs: null, sinceMs: world.nowMs });
  expect(await followers("p/b", 2)).toMatchObject({ followers: [{ session: "p/c" }], hasMore: false });
  unwrap(await world.askEstuary("p/a", (estuary) => estuary.unsubscribe([SOURCE])));
  await endLinks({ session: "p/b" });
  expect((await followers()).followers.map(({ session }) => session)).toEqual(["p/c"]);
});

it("a stream that nobody follows has no followers, and asking for them stores nothing", async () => {
  expect(await followers()).toEqual({ followers: [], hasMore: false });
  expect(await endLinks({ kid: "key-1" })).toEqual({ ended: 0 });
  expect(world.leftovers(`followers:${SOURCE}`)).toEqual([]);
});

describe("a key", () => {
  it("is forgotten by the project when the last link has gone, and reported to it anew with the next one", async () => {
    await source("chat");
    for (let times = 0; times < 2; times += 1) {
      unwrap(await subscribe([SOURCE], { grant: KEY }));
      unwrap(await world.askEstuary(SESSION, (estuary) => estuary.unsubscribe([SOURCE])));
      await aSecond();
    }
    expect(world.notedKeys.map((note) => note.replace(/ \d+$/, ""))).toEqual([
      `${KEY.kid} ${SOURCE}`,
      `forget ${SOURCE}`,
      `${KEY.kid} ${SOURCE}`,
      `forget ${SOURCE}`,
    ]);
    expect(world.leftovers(`followers:${SOURCE}`)).toEqual([]);
  });

  it("is reported to the project before its first link to a source, once", async () => {
    await source("chat");
    for (const session of ["p/a", "p/b"]) unwrap(await subscribe([SOURCE], { session, grant: KEY }));
    unwrap(await subscribe([SOURCE], { session: "p/c" }));
    expect(world.notedKeys).toEqual([`${KEY.kid} ${SOURCE}`]);
  });

  it("[SE7] whose links were ended makes no others, here or elsewhere", async () => {
    for (const name of ["chat", "other"]) await source(name);
    unwrap(await subscribe([SOURCE], { session: "p/a", grant: KEY }));
    unwrap(await subscribe([SOURCE], { session: "p/b", grant: { kid: "key-2" } }));
    world.endedKeys.add(KEY.kid);
    await endLinks({ kid: KEY.kid });
    for (const name of [SOURCE, "p/other"]) {
      for (const session of ["p/a", "p/b"]) {
        const { results } = unwrap(await subscribe([name], { session, grant: KEY }));
        expect(results).toMatchObject([{ ok: false, problem: { code: "forbidden" } }]);
      }
    }
    await publish(SOURCE, "one;");
    await publish("p/other", "two;");
    await aSecond();
    expect([world.content("p/a"), world.content("p/b")]).toEqual(["", "one;"]);
  });

  it("that is ended while it makes a link has none in the end", async () => {
    await source("chat");
    unwrap(await subscribe([SOURCE], { session: "p/other", grant: { kid: "key-2" } }));
    world.isHeld = true;
    const subscribing = subscribe([SOURCE], { grant: KEY });
    await settled();
    for (let steps = 0; world.notedKeys.length < 2; steps += 1) {
      expect(steps).toBeLessThan(50);
      await world.release(0, "arrives");
    }
    void endLinks({ kid: KEY.kid });
    await world.releaseAll();
    expect(unwrap(await subscribing).results).toMatchObject([{ problem: { code: "forbidden" } }]);
    expect((await followers()).followers.map(({ session }) => session)).toEqual(["p/other"]);
  });
});

it("[SE1] one call begins in each source at an offset of its own", async () => {
  const offsets: string[] = [];
  for (const name of ["chat", "other"]) {
    await source(name);
    for (const text of ["one;", "two;"]) {
      const appended = unwrap(await world.stream(`p/${name}`).append(appendOf(`${name} ${text}`)));
      offsets.push(`${appended.lineage.incarnation}:${appended.tail}`);
    }
  }
  const [incarnation = 0, tail = 0] = (offsets[0] ?? "").split(":").map(Number);
  const froms = { [SOURCE]: { kind: "at", incarnation, position: tail } as const };
  unwrap(await subscribe([SOURCE, "p/other"], { froms, from: START }));
  await aSecond();
  const content = world.content(SESSION) ?? "";
  expect(content.length).toBe("chat two;other one;other two;".length);
  for (const text of ["chat two;", "other one;other two;"]) expect(content).toContain(text);
});

it("[SE12] a session that ends takes its links with it, whatever end they have", async () => {
  await source("chat");
  unwrap(await subscribe([SOURCE], { grant: { ...KEY, expiresAtMs: world.nowMs + 10 * TTL_SECONDS * 1_000 } }));
  await world.fireAlarmsUntil(world.nowMs + 4 * TTL_SECONDS * 1_000);
  for (const object of [`followers:${SOURCE}`, `estuary:${SESSION}`] as const) {
    expect(world.leftovers(object)).toEqual([]);
  }
});
