/** The Durable Object of a source's followers: a thin shell that supplies the runtime's storage, clock and alarm. */

import { parseConfig } from "@durable-streams-cloudflare/core/config";
import type {
  FollowerFilter,
  FollowerPage,
  LinkCommand,
  LinkResult,
  LinkKeysApi,
  LinkOwnerApi,
  ListFollowersCommand,
  ShardApi,
  ShardResult,
  ShardFailure,
  ShardRef,
  SessionApi,
  SourceApi,
  SourceNotification,
  SubscriptionApi,
  UnlinkCommand,
} from "@durable-streams-cloudflare/core/contracts/fan-out";
import { SHARD_SESSIONS } from "@durable-streams-cloudflare/core/fan-out/delivery/shards";
import { keysOf, ownerOf, sessionOf, sourceOf } from "@durable-streams-cloudflare/core/fan-out/delivery/stubs";
import { Subscription } from "@durable-streams-cloudflare/core/fan-out/source/follower-set";
import type { SubscriptionHost } from "@durable-streams-cloudflare/core/fan-out/source/host";
import { LINK_SCHEMA } from "@durable-streams-cloudflare/core/fan-out/source/tables";
import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import { objectName } from "@durable-streams-cloudflare/core/kit/object-name";
import { FOREGROUND } from "@durable-streams-cloudflare/core/kit/yield";
import type { Result } from "@durable-streams-cloudflare/protocol";
import { DurableObject } from "cloudflare:workers";

import { objectDatabase } from "../bindings/object-database.ts";
import { r2SegmentStore } from "../bindings/r2-segment-store.ts";

export interface SubscriptionEnv {
  readonly SEGMENTS?: R2Bucket;
  /** Takes the shards of large delivery passes; without it the object serves all followers itself. */
  readonly FANOUT?: Queue<ShardRef>;
  readonly STREAMS: { getByName(name: string): SourceApi & SessionApi };
  readonly ESTUARIES: { getByName(session: string): LinkOwnerApi };
  /** The objects of projects. Without them there are no keys. */
  readonly PROJECTS?: { getByName(project: string): LinkKeysApi };
}

export class SubscriptionDO extends DurableObject<SubscriptionEnv> implements SubscriptionApi, ShardApi {
  readonly #subscription: Subscription;

  constructor(context: DurableObjectState, env: SubscriptionEnv) {
    super(context, env);
    const { storage } = context;
    const name = objectName(context.id);
    const { logLevel, fanOutQueueAbove } = parseConfig(env);
    const host: SubscriptionHost = {
      database: objectDatabase(storage, LINK_SCHEMA),
      name,
      segments: env.SEGMENTS && r2SegmentStore(env.SEGMENTS),
      stream: (name) => sourceOf(() => env.STREAMS.getByName(name)),
      session: (name) => sessionOf(() => env.STREAMS.getByName(name)),
      owner: (name) => ownerOf(() => env.ESTUARIES.getByName(name)),
      keys: keysOf(env.PROJECTS, name),
      shards: env.FANOUT && queueOf(env.FANOUT),
      now: () => Date.now(),
      pause: (ms) => FOREGROUND.yieldToAppends(ms),
      sync: () => storage.sync(),
      purge: () => storage.deleteAll(),
      setAlarm: (atMs) => void storage.setAlarm(atMs),
      clearAlarm: () => void storage.deleteAlarm(),
      report: (message, error) => logFault(logLevel, message, error),
    };
    const limits = { shardedAbove: fanOutQueueAbove, shardSessions: SHARD_SESSIONS };
    this.#subscription = new Subscription(host, limits);
  }

  link(command: LinkCommand): Promise<Result<LinkResult>> {
    return this.#subscription.link(command);
  }

  unlink(command: UnlinkCommand): Promise<Result<object>> {
    return this.#subscription.unlink(command);
  }

  async listFollowers(command: ListFollowersCommand): Promise<FollowerPage> {
    return this.#subscription.followers(command);
  }

  endLinks(filter: FollowerFilter): Promise<{ ended: number }> {
    return this.#subscription.endLinks(filter);
  }

  async notify(notification: SourceNotification | null): Promise<number | null> {
    return this.#subscription.notify(notification);
  }

  async shard(ref: ShardRef): Promise<ShardResult | null> {
    return this.#subscription.shard(ref);
  }

  async shardServed(ref: ShardRef, failures: readonly ShardFailure[]): Promise<void> {
    this.#subscription.shardServed(ref, failures);
  }

  override alarm(): Promise<void> {
    return this.#subscription.alarm();
  }
}

function queueOf(queue: Queue<ShardRef>): NonNullable<SubscriptionHost["shards"]> {
  return { send: async (refs) => void (await queue.sendBatch(refs.map((body) => ({ body })))) };
}
