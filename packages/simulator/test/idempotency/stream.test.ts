import type { DeliverCommand } from "@durable-streams-cloudflare/core/contracts/fan-out";
import type { PinCommand } from "@durable-streams-cloudflare/core/contracts/stream";
import type { Stream } from "@durable-streams-cloudflare/core/stream/stream";
import { streamTable } from "@durable-streams-cloudflare/core/stream/tables/stream-row";
import { allRowsOf, rowsOf } from "@durable-streams-cloudflare/core/test/stored-rows";
import {
  appendOf,
  createOf,
  newHost,
  START_MS,
  streamOn,
  type Host,
} from "@durable-streams-cloudflare/core/test/stream-fixture";
import { utf8 } from "@durable-streams-cloudflare/testkit";
import { settled } from "@durable-streams-cloudflare/testkit/node-host";

import { prove, type Proofs, type Trial } from "../../src/idempotency/proofs.ts";
import { unwrap } from "../../src/worlds/fan-out-world.ts";

const NEW = createOf({ bytes: utf8("new") });
const REPEATED = { repeatedAfterMs: 100 };

interface Fixture {
  readonly host: Host;
  readonly stream: Stream;
  /** Of the stream that the call is about. */
  readonly incarnation: number;
  /** Deletes the stream, and makes it anew. */
  replace(): Promise<unknown>;
  /** All that the object has stored. */
  outcome(): unknown;
}

async function begin(make: (stream: Stream) => Promise<unknown> = (stream) => stream.create(NEW)): Promise<Fixture> {
  const host = newHost("p/s");
  const stream = streamOn(host);
  await make(stream);
  return {
    host,
    stream,
    incarnation: unwrap(stream.head()).lineage.incarnation,
    replace: async () => {
      unwrap(await stream.remove());
      await make(stream);
    },
    outcome: () => ({ head: stream.head(), rows: allRowsOf(host.database) }),
  };
}

const session = (stream: Stream): Promise<unknown> =>
  stream.fanOut.openSession({ contentType: "text/plain", ttlSeconds: 60 });

function deliveryTo(incarnation: number): DeliverCommand {
  const range = { start: 0, from: 0, begin: 0, to: 3, bytes: utf8("abc"), ends: [3], owner: 1 };
  return { ...range, source: "p/source", link: 2, incarnation, format: "raw", contentType: "text/plain" };
}

function pinOf(forkId: string, incarnation: number): PinCommand {
  const offset = { kind: "at", incarnation, position: 3 } as const;
  return { forkId, forkName: `p/${forkId}`, offset, subOffset: 0, contentType: null, untilMs: START_MS + 10_000 };
}

/** A stream that has told those who listen to it of an append, and what it then knows of them. */
async function told({ host, stream }: Fixture): Promise<unknown> {
  unwrap(await stream.append(appendOf("x")));
  await settled();
  return rowsOf(host.database, streamTable).map(({ followed, consumers }) => ({ followed, consumers }));
}

/** @param token by which the subscription follows now; `null`: it does not. */
async function beginFollowed(): Promise<Fixture & { token: number | null }> {
  const fixture = Object.assign(await begin(), { token: null as number | null });
  Object.assign(fixture.host, { notifyFollowers: async () => fixture.token });
  return fixture;
}

function follow({ stream }: Fixture, token: number): Promise<unknown> {
  return stream.fanOut.follow({ token, from: { kind: "now" } });
}

const proofs: Proofs<"stream"> = {
  create: async (): Promise<Trial> => {
    const host = newHost("p/s");
    const stream = streamOn(host);
    const mine = createOf({ bytes: utf8("mine"), attempt: "c" });
    return {
      send: () => stream.create(mine),
      replace: async () => {
        unwrap(await stream.remove());
        unwrap(await stream.create(NEW));
      },
      repeat: () => stream.create({ ...mine, ...REPEATED }),
      outcome: () => allRowsOf(host.database),
    };
  },
  append: async () => {
    const { stream, ...fixture } = await begin();
    const command = appendOf("abc", { attempt: "a" });
    return { ...fixture, send: () => stream.append(command), repeat: () => stream.append({ ...command, ...REPEATED }) };
  },
  appendAll: async () => {
    const { stream, ...fixture } = await begin();
    const commands = [appendOf("abc", { attempt: "a" }), appendOf("def", { attempt: "b" })];
    return {
      ...fixture,
      send: () => stream.appendAll(commands),
      repeat: () => stream.appendAll(commands.map((command) => ({ ...command, ...REPEATED }))),
    };
  },
  remove: async () => {
    const fixture = await begin();
    const { stream, host, incarnation } = fixture;
    return {
      send: () => stream.remove(incarnation),
      replace: () => stream.create(NEW),
      outcome: () => (host.database.tableNames().length === 0 ? "gone" : fixture.outcome()),
    };
  },
  discard: async () => {
    const { host } = await begin();
    return {
      send: () => {
        host.database.failOnce(/schema_version/, new Error("database disk image is malformed: SQLITE_CORRUPT"));
        return streamOn(host).discard();
      },
      replace: () => streamOn(host).create(NEW),
      repeat: () => streamOn(host).discard(),
      outcome: () => (host.database.tableNames().length === 0 ? "gone" : allRowsOf(host.database)),
    };
  },
  pin: async () => {
    const { stream, incarnation, ...fixture } = await begin();
    return {
      ...fixture,
      send: () => stream.pin(pinOf("fork", incarnation)),
      replace: async () => {
        await stream.release("fork");
        await fixture.replace();
      },
    };
  },
  release: async () => {
    const { stream, incarnation, ...fixture } = await begin();
    unwrap(await stream.pin(pinOf("fork", incarnation)));
    return {
      ...fixture,
      send: () => stream.release("fork"),
      replace: async () => {
        await fixture.replace();
        unwrap(await stream.pin(pinOf("other", unwrap(stream.head()).lineage.incarnation)));
      },
    };
  },
  follow: async () => {
    const fixture = await beginFollowed();
    return {
      send: async () => {
        fixture.token = 7;
        await follow(fixture, 7);
      },
      replace: async () => {
        fixture.token = null;
        await fixture.replace();
      },
      // That nobody follows any more is what the stream hears when it tells of an append.
      repeat: () => follow(fixture, 7),
      outcome: () => told(fixture),
    };
  },
  unfollow: async () => {
    const fixture = await beginFollowed();
    await follow(fixture, 7);
    fixture.token = 7;
    return {
      send: () => fixture.stream.fanOut.unfollow(7),
      replace: async () => {
        await fixture.replace();
        fixture.token = 8;
        await follow(fixture, 8);
      },
      outcome: () => told(fixture),
    };
  },
  endSession: async () => {
    const fixture = await begin(session);
    const { stream, host, incarnation } = fixture;
    return {
      send: () => stream.fanOut.endSession(incarnation),
      replace: () => session(stream),
      outcome: () => (host.database.tableNames().length === 0 ? "gone" : fixture.outcome()),
    };
  },
  deliver: async () => {
    const { stream, incarnation, ...fixture } = await begin(session);
    return { ...fixture, send: () => stream.fanOut.deliver(deliveryTo(incarnation)) };
  },
  want: async () => {
    const fixture = await begin();
    let isWanted = true;
    fixture.host.consumers = () => isWanted;
    return {
      send: () => fixture.stream.wakeSubscriptions.want({ consumer: "p/sub", sinceMs: 0 }),
      replace: async () => {
        isWanted = false;
        await fixture.replace();
      },
      outcome: () => told(fixture),
    };
  },
};

prove("stream", proofs);
