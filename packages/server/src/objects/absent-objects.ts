/**
 * Answers on behalf of objects that were never created, where the host can tell. On one machine, merely calling an object would
 * take memory, open files, and a file that stays.
 */

import type { EstuaryApi, FollowerSetApi } from "@durable-streams-cloudflare/core/contracts/fan-out";
import type { ProjectApi } from "@durable-streams-cloudflare/core/contracts/project";
import type { AppendCommand, StreamApi } from "@durable-streams-cloudflare/core/contracts/stream";
import type { WakeSubscriptionApi } from "@durable-streams-cloudflare/core/contracts/wakes";
import { refuseNoEstuary } from "@durable-streams-cloudflare/core/fan-out/session/refusals";
import { refuseNoProject } from "@durable-streams-cloudflare/core/project/published-record";
import { refuseNoSubscription } from "@durable-streams-cloudflare/core/wakes/refusals";
import { refuseNotFound } from "@durable-streams-cloudflare/protocol";

/** A kind of object, by its binding. */
export type ObjectKind = "STREAMS" | "PROJECTS" | "CONSUMERS" | "ESTUARIES" | "SUBSCRIPTIONS";

/** Whether an object may have stored anything. `false` only if the object has never been called, or its storage was removed. */
export type MayExist = (kind: ObjectKind, name: string) => boolean | Promise<boolean>;

/**
 * Some methods of an object, by what they answer when there is nothing. What is not here makes something, or is not the edge's.
 */
type Absent<Api> = { readonly [Method in keyof Api]?: Api[Method] };

const STREAM: Absent<StreamApi & { fetch(request: Request): Promise<Response> }> = {
  append: async () => refuseNotFound(),
  appendAll: async (commands: readonly AppendCommand[]) => commands.map(() => refuseNotFound()),
  head: async () => refuseNotFound(),
  read: async () => refuseNotFound(),
  page: async () => refuseNotFound(),
  remove: async () => refuseNotFound(),
  fetch: async () => Response.json(refuseNotFound()),
};

const PROJECT: Absent<ProjectApi> = {
  update: async () => refuseNoProject(),
  addSecret: async () => refuseNoProject(),
  removeSecret: async () => refuseNoProject(),
  revokeReadUrls: async () => refuseNoProject(),
  remove: async () => refuseNoProject(),
  list: async () => ({ ok: true, streams: [], cursor: null, counters: { streams: 0, created: 0, ended: 0, bytes: 0 } }),
  counters: async () => ({ streams: 0, created: 0, ended: 0, bytes: 0 }),
  listSubscriptions: async () => ({ subscriptions: [], cursor: null }),
  publicKeys: async () => [],
};

const CONSUMER: Absent<WakeSubscriptionApi> = {
  describe: async () => refuseNoSubscription(),
  deliveries: async () => refuseNoSubscription(),
  addStreams: async () => refuseNoSubscription(),
  removeStream: async () => refuseNoSubscription(),
  remove: async () => undefined,
  claim: async () => refuseNoSubscription(),
  ack: async () => refuseNoSubscription(),
  release: async () => refuseNoSubscription(),
};

const ESTUARY: Absent<EstuaryApi> = {
  unsubscribe: async () => refuseNoEstuary(),
  describe: async () => refuseNoEstuary(),
  touch: async () => refuseNoEstuary(),
  remove: async () => refuseNoEstuary(),
};

const SUBSCRIPTION: Absent<FollowerSetApi> = {
  listFollowers: async () => ({ followers: [], hasMore: false }),
};

type Methods = Readonly<Record<string, ((...values: readonly unknown[]) => unknown) | undefined>>;

interface Namespace {
  getByName(name: string): Methods;
  idFromName(name: string): unknown;
}

const KINDS: readonly ObjectKind[] = ["STREAMS", "PROJECTS", "CONSUMERS", "ESTUARIES", "SUBSCRIPTIONS"];

const ABSENT = {
  STREAMS: STREAM,
  PROJECTS: PROJECT,
  CONSUMERS: CONSUMER,
  ESTUARIES: ESTUARY,
  SUBSCRIPTIONS: SUBSCRIPTION,
} as unknown as Readonly<Record<ObjectKind, Methods>>;

/** Wraps the bindings so that calls to absent objects are answered here, without reaching the objects. */
export function withoutAbsent<Env extends object>(env: Env, mayExist: MayExist): Env {
  const bindings = env as Readonly<Record<string, Namespace | undefined>>;
  const guarded = KINDS.flatMap((kind) => {
    const namespace = bindings[kind];
    if (namespace === undefined) return [];
    const idFromName = (name: string): unknown => namespace.idFromName(name);
    return [[kind, { getByName: guard(kind, namespace, mayExist), idFromName }]];
  });
  return { ...env, ...(Object.fromEntries(guarded) as object) };
}

function guard(kind: ObjectKind, namespace: Namespace, mayExist: MayExist): Namespace["getByName"] {
  const invoke = async (name: string, method: string, values: readonly unknown[]): Promise<unknown> => {
    const answer = ABSENT[kind][method];
    if (answer !== undefined && !(await mayExist(kind, name))) return answer(...values);
    return namespace.getByName(name)[method]?.(...values);
  };
  return (name) =>
    new Proxy<Methods>(
      {},
      {
        get: (_target, method) =>
          // Whatever is awaited is asked whether it is a promise.
          typeof method !== "string" || method === "then"
            ? undefined
            : (...values: readonly unknown[]) => invoke(name, method, values),
      },
    );
}
