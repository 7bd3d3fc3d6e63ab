/** The object of a source's followers keeps nothing when nobody follows any more, and loses nobody who comes meanwhile. */

import { UNKNOWN_GRANT } from "@durable-streams-cloudflare/core/contracts/grant";
import type { FollowerSet } from "@durable-streams-cloudflare/core/fan-out/source/follower-set";
import { linksTable } from "@durable-streams-cloudflare/core/fan-out/source/tables";
import { rowsOf } from "@durable-streams-cloudflare/core/test/stored-rows";
import { settled } from "@durable-streams-cloudflare/testkit/node-host";
import { beforeEach, expect, it } from "vitest";

import { clientsOf, SESSION, START } from "../../src/drivers/fan-out-clients.ts";
import { unwrap, FanOutWorld } from "../../src/worlds/fan-out-world.ts";

const SOURCE = "p/chat";
const FOLLOWERS = `followers:${SOURCE}` as const;
const KEYS = { ...UNKNOWN_GRANT, kid: "key-1" };

let world: FanOutWorld;

beforeEach(async () => {
  world = new FanOutWorld();
  await source("chat");
  await publish(SOURCE, "one;");
});

const { source, publish, subscribe, aSecond } = clientsOf(() => world);

function askFollowers<Answer>(ask: (followers: FollowerSet) => Answer | Promise<Answer>): Promise<Answer> {
  return world.ask(FOLLOWERS, (core) => ask(core as FollowerSet));
}

/** Ends the only link. */
async function unlink(refuseUntilMs: number): Promise<void> {
  const [link] = rowsOf(world.host(FOLLOWERS).database, linksTable);
  const command = { session: SESSION, link: link?.link ?? 0, drain: false, refuseUntilMs };
  unwrap(await askFollowers((followers) => followers.unlink(command)));
}

/** Lets what is held go on, one by one, until something is so. @param from the first that goes on. */
async function releaseUntil(isSo: () => boolean | Promise<boolean>, from = 0): Promise<void> {
  for (let steps = 0; !(await isSo()); steps += 1) {
    expect(steps).toBeLessThan(100);
    await settled();
    if (world.heldCount > from) await world.release(from, "arrives");
  }
}

it("a link that is made while the last one is removed delivers what the source has at once", async () => {
  unwrap(await subscribe([SOURCE]));
  // A call that makes the link may still come, and must be refused: that is remembered for a minute.
  await unlink(world.nowMs + 60_000);
  world.isHeld = true;
  await world.fireNextAlarm();
  await releaseUntil(() => world.calls.at(-1)?.method === "unfollow");
  const subscribing = subscribe([SOURCE], { session: "p/bob", from: START });
  const isLinked = (): Promise<boolean> =>
    askFollowers((followers) => followers.followers({ after: "", limit: 10 }).followers.length > 0);
  await releaseUntil(isLinked, 1);
  await world.releaseAll();
  await world.alarmsRest();
  unwrap(await subscribing);
  await aSecond();
  expect(world.content("p/bob")).toBe("one;");
});

it("a link that ends while its grant is renewed leaves nothing behind, and the project forgets both keys", async () => {
  unwrap(await subscribe([SOURCE], { grant: KEYS }));
  world.onNoteKey = async () => {
    world.onNoteKey = async () => undefined;
    await unlink(0);
    await world.fireAlarm(FOLLOWERS);
  };
  const [link] = rowsOf(world.host(FOLLOWERS).database, linksTable);
  const renewed = await askFollowers((followers) =>
    followers.link({
      session: SESSION,
      sessionIncarnation: 1,
      sessionContentType: "text/plain",
      link: link?.link ?? 0,
      format: "raw",
      from: START,
      untilMs: world.nowMs + 10_000,
      grant: { ...KEYS, kid: "key-2" },
      isRenewal: true,
    }),
  );
  expect(renewed).toMatchObject({ ok: false, problem: { code: "subscription-not-found" } });
  await aSecond();
  expect(world.notedKeys.map((note) => note.replace(/ \d+$/, ""))).toEqual([
    `key-1 ${SOURCE}`,
    `key-2 ${SOURCE}`,
    `forget ${SOURCE}`,
  ]);
  expect(world.leftovers(FOLLOWERS)).toEqual([]);
});
