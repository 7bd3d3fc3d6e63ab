import type { LinkCommand } from "@durable-streams-cloudflare/core/contracts/fan-out";
import type { FollowerSet } from "@durable-streams-cloudflare/core/fan-out/source/follower-set";
import { linksTable } from "@durable-streams-cloudflare/core/fan-out/source/tables";
import { allRowsOf, rowsOf } from "@durable-streams-cloudflare/core/test/stored-rows";
import { settled } from "@durable-streams-cloudflare/testkit/node-host";

import { clientsOf, SESSION, START } from "../../src/drivers/fan-out-clients.ts";
import { prove, type Proofs } from "../../src/idempotency/proofs.ts";
import { FanOutWorld, unwrap } from "../../src/worlds/fan-out-world.ts";

const SOURCE = "p/chat";
const FOLLOWERS = `followers:${SOURCE}` as const;

/** A world with a source, and what its clients do. */
async function begin(world = new FanOutWorld()) {
  const clients = clientsOf(() => world);
  await clients.source("chat");
  const followers = <Answer>(ask: (core: FollowerSet) => Answer | Promise<Answer>): Promise<Answer> =>
    world.ask(FOLLOWERS, (core) => ask(core as FollowerSet));
  return {
    ...clients,
    world,
    followers,
    linkOf: (session = SESSION): number =>
      rowsOf(world.host(FOLLOWERS).database, linksTable).find((link) => link.session === session)?.link ?? 0,
    makeAnew: async (): Promise<void> => {
      unwrap(await world.stream(SOURCE).remove());
      await clients.aSecond();
      await clients.source("chat");
    },
    /** What a session has of what is published from now on, and who follows. */
    outcome: async (): Promise<unknown> => {
      await clients.publish(SOURCE, "last;");
      await clients.aSecond();
      const { followers: listed } = await followers((core) => core.followers({ after: "", limit: 10 }));
      return { content: world.content(SESSION), followers: listed.map(({ session }) => session) };
    },
  };
}

const estuary: Proofs<"estuary"> = {
  linkEnded: async () => {
    const { world, linkOf, subscribe } = await begin();
    unwrap(await subscribe([SOURCE]));
    const link = linkOf();
    return {
      send: () => world.askEstuary(SESSION, (core) => core.linkEnded(SOURCE, link)),
      replace: async () => unwrap(await subscribe([SOURCE])),
      outcome: async () => unwrap(await world.askEstuary(SESSION, (core) => core.describe())).subscriptions,
    };
  },
};

const subscription: Proofs<"subscription"> = {
  link: async () => {
    const { world, source, subscribe, followers, makeAnew, outcome } = await begin();
    await source("other");
    unwrap(await subscribe(["p/other"]));
    const command: LinkCommand = {
      session: SESSION,
      sessionIncarnation: unwrap(world.stream(SESSION).head()).lineage.incarnation,
      sessionContentType: "text/plain",
      link: 100,
      format: "raw",
      from: START,
      untilMs: world.nowMs + 10_000,
    };
    return {
      send: () => followers((core) => core.link(command)),
      replace: async () => {
        const { session, link, untilMs } = command;
        await followers((core) => core.unlink({ session, link, drain: false, refuseUntilMs: untilMs }));
        await makeAnew();
      },
      outcome,
    };
  },
  unlink: async () => {
    const { subscribe, linkOf, followers, makeAnew, outcome } = await begin();
    unwrap(await subscribe([SOURCE]));
    const link = linkOf();
    return {
      send: () => followers((core) => core.unlink({ session: SESSION, link, drain: false, refuseUntilMs: 0 })),
      replace: async () => {
        await makeAnew();
        unwrap(await subscribe([SOURCE]));
      },
      outcome,
    };
  },
  notify: async () => {
    const { world, subscribe, publish, followers, aSecond, makeAnew } = await begin();
    unwrap(await subscribe([SOURCE]));
    await aSecond();
    // The stream's own word is lost; it would come again.
    world.isHeld = true;
    void publish(SOURCE, "one;");
    await settled();
    while (!world.calls.some(({ method }) => method === "notify")) await world.release(0, "arrives");
    await world.release(0, "lost");
    await world.releaseAll();
    const { tail, lineage } = unwrap(world.stream(SOURCE).head());
    const notification = { incarnation: lineage.incarnation, tail, closed: false };
    return {
      send: () => followers((core) => core.notify(notification)),
      replace: async () => {
        await world.fireAlarm(FOLLOWERS);
        await makeAnew();
        unwrap(await subscribe([SOURCE]));
        await publish(SOURCE, "new;");
        await aSecond();
      },
      outcome: async () => {
        if (world.host(FOLLOWERS).alarmAtMs !== undefined) await world.fireAlarm(FOLLOWERS);
        return { content: world.content(SESSION), rows: allRowsOf(world.host(FOLLOWERS).database) };
      },
    };
  },
  shardServed: async () => {
    const sessions = ["p/a", "p/b", "p/c", "p/d"];
    const { world, subscribe, linkOf, publish, followers, aSecond, makeAnew } = await begin(
      new FanOutWorld({ shards: { shardedAbove: 2, shardSessions: 2 } }),
    );
    const followAll = async (): Promise<void> => {
      for (const session of sessions) unwrap(await subscribe([SOURCE], { session }));
      await aSecond();
      await publish(SOURCE, "one;");
      await aSecond();
    };
    await followAll();
    const [ref] = world.queue;
    if (ref === undefined) throw new Error("The queue got no shard.");
    const failures = [{ session: "p/a", link: linkOf("p/a"), isOver: true }];
    return {
      send: () => followers((core) => core.shardServed(ref, failures)),
      replace: async () => {
        await makeAnew();
        await followAll();
      },
      outcome: () => allRowsOf(world.host(FOLLOWERS).database),
    };
  },
};

prove("estuary", estuary);
prove("subscription", subscription);
