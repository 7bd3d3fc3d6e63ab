/** Which calls between objects may be made again, and why: every RPC method of every Durable Object. */

/**
 * Why a call may be made again, also when somebody else has deleted and made anew what it is about in between.
 * `reads`: it changes nothing but a lifetime. `request id`, `incarnation`, `token`: it names what it means. `whole state`: it
 * says all of what is to be, in the one place that only its caller decides. `once`: it may not, and nobody makes it again.
 */
export type Why = "reads" | "request id" | "incarnation" | "token" | "whole state" | "once";

/** Every RPC method of every Durable Object. */
export const METHODS = {
  stream: {
    create: "request id",
    append: "request id",
    appendAll: "request id",
    head: "reads",
    read: "reads",
    page: "reads",
    remove: "incarnation",
    discard: "whole state",
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
    registerConsumer: "incarnation",
    grantDeliveries: "once",
    forgetStreams: "incarnation",
    forgetConsumer: "incarnation",
    matchStreams: "reads",
    listSubscriptions: "reads",
    signingKey: "reads",
    publicKeys: "reads",
    rotateSigningKey: "once",
    note: "incarnation",
    allowReaders: "whole state",
    noteLinkKey: "token",
    forgetLinkKeys: "token",
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Why>>>>;

type Methods = typeof METHODS;

/** The methods of an object that change something and may be called again. Each has a proof. */
export type Repeatable<Kind extends keyof Methods> = {
  [Method in keyof Methods[Kind]]: Methods[Kind][Method] extends "reads" | "once" ? never : Method;
}[keyof Methods[Kind]];
