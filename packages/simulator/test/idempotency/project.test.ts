import type { Interest } from "@durable-streams-cloudflare/core/contracts/wakes";
import { forgetLinkKeys, noteLinkKey } from "@durable-streams-cloudflare/core/project/link-keys";
import { ProjectOwner } from "@durable-streams-cloudflare/core/project/owner";
import { PROJECT_SCHEMA } from "@durable-streams-cloudflare/core/project/tables/schema";
import {
  forgetConsumer,
  forgetStreams,
  registerConsumer,
} from "@durable-streams-cloudflare/core/project/wake-interest";
import { NodeDatabase } from "@durable-streams-cloudflare/core/test/node-database";
import { allRowsOf } from "@durable-streams-cloudflare/core/test/stored-rows";

import { prove, type Proofs } from "../../src/idempotency/proofs.ts";

const NOT_HERE = (): never => {
  throw new Error("There is no such object here.");
};

function begin() {
  const database = new NodeDatabase(PROJECT_SCHEMA);
  return { database, outcome: () => allRowsOf(database) };
}

/** A project's object, which knows a limit of live readers. */
async function ownerOn(database: NodeDatabase): Promise<ProjectOwner> {
  const host = {
    now: () => 1_000,
    newKid: () => "kid",
    newSecret: () => "x".repeat(43),
    publish: async () => undefined,
    removeStream: async () => undefined,
    registryStream: NOT_HERE,
    subscription: NOT_HERE,
    followers: NOT_HERE,
    setAlarm: () => undefined,
    clearAlarm: () => undefined,
    sync: async () => undefined,
    report: () => undefined,
  };
  const owner = new ProjectOwner(database, host, "p");
  await owner.create({ name: "p", settings: { limits: { liveReaders: 10 } }, secret: undefined });
  return owner;
}

/** @param createdAtMs of the subscription: one that is made anew has a later one. */
function interestIn(stream: string, createdAtMs: number): Interest {
  return { type: "webhook", pattern: `${stream}/*`, streams: [stream], createdAtMs };
}

const proofs: Proofs<"project"> = {
  registerConsumer: () => {
    const { database, outcome } = begin();
    return {
      send: () => registerConsumer(database, "sub", interestIn("a", 1)),
      replace: () => {
        forgetConsumer(database, "sub", 1);
        registerConsumer(database, "sub", interestIn("b", 2));
      },
      outcome,
    };
  },
  forgetStreams: () => {
    const { database, outcome } = begin();
    registerConsumer(database, "sub", interestIn("a", 1));
    return {
      send: () => forgetStreams(database, "sub", ["a"], 1),
      replace: () => {
        forgetConsumer(database, "sub", 1);
        registerConsumer(database, "sub", interestIn("a", 2));
      },
      outcome,
    };
  },
  forgetConsumer: () => {
    const { database, outcome } = begin();
    registerConsumer(database, "sub", interestIn("a", 1));
    return {
      send: () => forgetConsumer(database, "sub", 1),
      replace: () => registerConsumer(database, "sub", interestIn("a", 2)),
      outcome,
    };
  },
  note: async () => {
    const { database, outcome } = begin();
    const owner = await ownerOn(database);
    const made = { stream: "s", incarnation: 1, contentType: "text/plain", atMs: 1 };
    const ended = { ...made, contentType: null, atMs: 2 };
    return {
      send: async () => {
        await owner.note(made);
        await owner.note(ended);
      },
      replace: () => owner.note({ ...made, incarnation: 3, atMs: 3 }),
      repeat: () => owner.note(ended),
      outcome,
    };
  },
  allowReaders: async () => {
    const { database, outcome } = begin();
    const owner = await ownerOn(database);
    const ask = (readers: number, wanted: number) => owner.allowReaders({ stream: "s", readers, wanted, forMs: 1_000 });
    let isNew = false;
    return {
      send: () => ask(0, 1),
      replace: async () => {
        isNew = true;
        await ask(0, 3);
      },
      outcome: async () => {
        // What the stream itself asks next says all that there is to know about it.
        if (isNew) await ask(3, 4);
        return outcome();
      },
    };
  },
  noteLinkKey: () => {
    const { database, outcome } = begin();
    return {
      send: () => noteLinkKey(database, { kid: "key", source: "p/s", token: 1 }),
      replace: () => {
        forgetLinkKeys(database, "p/s", 1);
        noteLinkKey(database, { kid: "key", source: "p/s", token: 2 });
      },
      outcome,
    };
  },
  forgetLinkKeys: () => {
    const { database, outcome } = begin();
    noteLinkKey(database, { kid: "key", source: "p/s", token: 1 });
    return {
      send: () => forgetLinkKeys(database, "p/s", 1),
      replace: () => noteLinkKey(database, { kid: "key", source: "p/s", token: 2 }),
      outcome,
    };
  },
};

prove("project", proofs);
