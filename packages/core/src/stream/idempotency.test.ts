import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { utf8 } from "@durable-streams-cloudflare/testkit";
import { describe, expect, it } from "vitest";

import { appendOf, createOf, newHost, streamOn } from "../../test/stream-fixture.ts";
import type { DeliverCommand } from "../contracts/fan-out.ts";
import type { Stream } from "./stream.ts";

/**
 * Why a call may be made again, also when somebody else has deleted and made anew what it is about in between.
 * `reads`: it changes nothing but a lifetime. `request id`, `incarnation`, `token`: it names what it means. `whole state`: it
 * says all of what is to be, in the one place that only its caller decides. `once`: it may not, and nobody makes it again.
 */
type Why = "reads" | "request id" | "incarnation" | "token" | "whole state" | "once";

/** Every RPC method of every Durable Object. */
const METHODS: Readonly<Record<string, Readonly<Record<string, Why>>>> = {
  stream: {
    create: "request id",
    append: "request id",
    appendAll: "request id",
    head: "reads",
    read: "reads",
    page: "reads",
    remove: "incarnation",
    pin: "token",
    release: "token",
    follow: "token",
    unfollow: "token",
    pull: "reads",
    openSession: "once",
    session: "reads",
    endSession: "incarnation",
    deliver: "incarnation",
    want: "whole state",
  },
  estuary: {
    subscribe: "once",
    join: "once",
    unsubscribe: "once",
    describe: "reads",
    touch: "reads",
    remove: "once",
    linkEnded: "token",
  },
  consumer: {
    create: "once",
    describe: "reads",
    deliveries: "reads",
    addStreams: "once",
    removeStream: "once",
    remove: "once",
    claim: "once",
    ack: "once",
    release: "once",
    notify: "incarnation",
    discover: "incarnation",
  },
  subscription: {
    link: "token",
    unlink: "token",
    listFollowers: "reads",
    endLinks: "once",
    notify: "whole state",
    shard: "reads",
    shardServed: "token",
  },
  project: {
    create: "once",
    update: "once",
    addSecret: "once",
    removeSecret: "once",
    revokeReadUrls: "once",
    remove: "once",
    list: "reads",
    counters: "reads",
    registerConsumer: "whole state",
    grantDeliveries: "once",
    forgetStreams: "whole state",
    forgetConsumer: "whole state",
    matchStreams: "reads",
    listSubscriptions: "reads",
    signingKey: "reads",
    publicKeys: "reads",
    rotateSigningKey: "once",
    note: "incarnation",
    allowReaders: "whole state",
    noteLinkKey: "whole state",
    forgetLinkKeys: "token",
  },
};

/** What the runtime calls. */
const HANDLERS = new Set(["constructor", "fetch", "alarm", "webSocketMessage", "webSocketClose", "webSocketError"]);
const PACKAGES = join(import.meta.dirname, "../../..");

function sourceFiles(): { readonly path: string; readonly text: string }[] {
  return ["core", "http", "server"].flatMap((name) => {
    const source = join(PACKAGES, name, "src");
    return readdirSync(source, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
      .map((path) => ({ path: `${name}/${path}`, text: readFileSync(join(source, path), "utf8") }));
  });
}

function methodsOf(kind: string): string[] {
  const text = readFileSync(join(PACKAGES, "server/src/objects", `${kind}-do.ts`), "utf8");
  const body = text.slice(text.search(/^export class \w+DO /m));
  const names = [...body.matchAll(/^ {2}(?:override )?(?:async )?(\w+)\(/gm)].map(([, name = ""]) => name);
  return [...new Set(names)].filter((name) => !HANDLERS.has(name));
}

describe("every call that is repeated is idempotent", () => {
  it.each(Object.keys(METHODS))("all methods of the object %s are in the table", (kind) => {
    expect(methodsOf(kind).toSorted()).toEqual(Object.keys(METHODS[kind] ?? {}).toSorted());
  });

  it("nothing is repeated that may not be repeated", () => {
    const isOnce = (name: string): boolean =>
      Object.values(METHODS).some((methods) => methods[name] === "once") &&
      !Object.values(METHODS).some((methods) => methods[name] !== undefined && methods[name] !== "once");
    for (const { path, text } of sourceFiles()) {
      const calls = text.split(/callAgain\(|\.call\(/).slice(1);
      const near = calls.map((call) => call.slice(0, 120).split("callOnce")[0] ?? "");
      const names = near.flatMap((call) => [...call.matchAll(/\.(\w+)\(/g)]);
      expect({ path, repeated: names.map(([, name = ""]) => name).filter(isOnce) }).toEqual({ path, repeated: [] });
    }
    // Methods that share their name with one that may be repeated.
    const routes = ["subscriptions", "estuaries"].map((name) =>
      readFileSync(join(PACKAGES, "http/src/routes", `${name}.ts`), "utf8"),
    );
    expect(routes.join("\n")).not.toMatch(/callAgain\([^)]*\)? ?(?:=>)?[^;]*\.(?:remove|create)\(/);
  });
});

/** Does something, has somebody else delete the stream and make it anew, and does the same once more. */
const PROOFS: Readonly<Record<string, (stream: Stream, incarnation: number, isRepeat: boolean) => Promise<unknown>>> = {
  append: (stream, _, isRepeat) => stream.append(appendOf("abc", { requestId: "a", ...age(isRepeat) })),
  appendAll: (stream, _, isRepeat) => stream.appendAll([appendOf("abc", { requestId: "b", ...age(isRepeat) })]),
  remove: (stream, incarnation) => stream.remove(incarnation),
  endSession: (stream, incarnation) => stream.fanOut.endSession(incarnation),
  deliver: (stream, incarnation) => stream.fanOut.deliver(deliveryTo(incarnation)),
  release: (stream) => stream.release("some fork"),
  unfollow: (stream) => stream.fanOut.unfollow(7),
};

const age = (isRepeat: boolean) => (isRepeat ? { repeatedAfterMs: 100 } : {});

function deliveryTo(incarnation: number): DeliverCommand {
  const range = { start: 0, from: 0, begin: 0, to: 3, bytes: utf8("abc"), ends: [3], owner: 1 };
  return { ...range, source: "p/s", link: 2, incarnation, format: "raw", contentType: "text/plain" };
}

describe.each(Object.entries(PROOFS))("%s, repeated after the stream was created anew", (name, call) => {
  it("[IN11] leaves the new stream as it is", async () => {
    const isOfSession = name === "endSession" || name === "deliver";
    const stream = streamOn(newHost());
    const make = (): Promise<unknown> =>
      isOfSession
        ? stream.fanOut.openSession({ contentType: "text/plain", ttlSeconds: 60 })
        : stream.create(createOf({ bytes: utf8("new") }));
    const state = (): unknown => stream.head();
    await make();
    const first = stream.head();
    if (!first.ok) throw new Error(first.problem.code);
    await call(stream, first.lineage.incarnation, false);
    await stream.remove();
    await make();
    const before = state();
    expect(before).toMatchObject({ ok: true });
    await call(stream, first.lineage.incarnation, true);
    expect(state()).toEqual(before);
  });
});
