/**
 * Adapts what the Workers runtime supplies to an object to the form that all hosts use
 * (`packages/http/src/objects/runtime.ts`).
 */

import { parseConfig } from "@durable-streams-cloudflare/core/config";
import type {
  EstuaryApi,
  LinkKeysApi,
  LinkOwnerApi,
  ShardApi,
  ShardRef,
  FollowerSetApi,
} from "@durable-streams-cloudflare/core/contracts/fan-out";
import type { ProjectApi } from "@durable-streams-cloudflare/core/contracts/project";
import type { StreamApi } from "@durable-streams-cloudflare/core/contracts/stream";
import type { WakeSubscriptionApi } from "@durable-streams-cloudflare/core/contracts/wakes";
import { objectName } from "@durable-streams-cloudflare/core/kit/object-name";
import type { Schema } from "@durable-streams-cloudflare/core/kit/sql/schema";
import type { ObjectPeers, ObjectRuntime } from "@durable-streams-cloudflare/http/objects/runtime";
import type { Objects } from "@durable-streams-cloudflare/http/ports";

import { objectDatabase } from "../bindings/object-database.ts";
import { r2SegmentStore } from "../bindings/r2-segment-store.ts";

/** The bindings that the objects use. `docs/architecture.md` says which objects call which. */
export interface ObjectEnv {
  readonly STREAMS: Objects<StreamApi>;
  readonly PROJECTS?: Objects<ProjectApi & LinkKeysApi>;
  readonly SUBSCRIPTIONS?: Objects<FollowerSetApi & ShardApi>;
  readonly ESTUARIES?: Objects<EstuaryApi & LinkOwnerApi>;
  readonly CONSUMERS?: Objects<WakeSubscriptionApi>;
  readonly REGISTRY?: KVNamespace;
  /** The bucket of cold segments. Without it, all bytes stay in the objects. */
  readonly SEGMENTS?: R2Bucket;
  /** The queue for the shards of large delivery passes. Without it, a source's object delivers to all its followers itself. */
  readonly FANOUT?: Queue<ShardRef>;
}

/** The other objects, as an object calls them. */
export function peersOf(env: ObjectEnv): ObjectPeers {
  return {
    config: parseConfig(env),
    segments: env.SEGMENTS && r2SegmentStore(env.SEGMENTS),
    streams: env.STREAMS,
    projects: env.PROJECTS,
    registry: env.REGISTRY,
    followers: env.SUBSCRIPTIONS,
    sessions: env.ESTUARIES,
    subscriptions: env.CONSUMERS,
    shards: env.FANOUT && queueOf(env.FANOUT),
  };
}

/** What the runtime supplies to one object. */
export function runtimeOf({ id, storage }: DurableObjectState, schema: Schema): ObjectRuntime {
  return {
    name: objectName(id),
    database: objectDatabase(storage, schema),
    sync: () => storage.sync(),
    // The runtime's output gate holds back whatever leaves the object.
    leave: (work) => work(),
    purge: () => storage.deleteAll(),
    setAlarm: (atMs) => void storage.setAlarm(atMs),
    clearAlarm: () => void storage.deleteAlarm(),
    databaseBytes: () => storage.sql.databaseSize,
  };
}

function queueOf(queue: Queue<ShardRef>): NonNullable<ObjectPeers["shards"]> {
  return { send: async (refs) => void (await queue.sendBatch(refs.map((body) => ({ body })))) };
}
