/**
 * The Durable Object of one source's follower set. Deployed servers know its class as `SubscriptionDO`; the protocol's
 * subscriptions are in `consumer-do.ts`.
 */

import type {
  FollowerFilter,
  FollowerPage,
  LinkCommand,
  LinkResult,
  ListFollowersCommand,
  ShardApi,
  ShardResult,
  ShardFailure,
  ShardRef,
  SourceNotification,
  FollowerSetApi,
  UnlinkCommand,
} from "@durable-streams-cloudflare/core/contracts/fan-out";
import type { FollowerSet } from "@durable-streams-cloudflare/core/fan-out/source/follower-set";
import { LINK_SCHEMA } from "@durable-streams-cloudflare/core/fan-out/source/tables";
import { createFollowers, followersApi } from "@durable-streams-cloudflare/http/objects/followers-object";
import type { Result } from "@durable-streams-cloudflare/protocol";
import { DurableObject } from "cloudflare:workers";

import { peersOf, runtimeOf, type ObjectEnv } from "./runtime.ts";

export class SubscriptionDO extends DurableObject<ObjectEnv> implements FollowerSetApi, ShardApi {
  readonly #followers: FollowerSet;
  readonly #api: FollowerSetApi & ShardApi;

  constructor(context: DurableObjectState, env: ObjectEnv) {
    super(context, env);
    this.#followers = createFollowers(runtimeOf(context, LINK_SCHEMA), peersOf(env));
    this.#api = followersApi(this.#followers);
  }

  link(command: LinkCommand): Promise<Result<LinkResult>> {
    return this.#api.link(command);
  }

  unlink(command: UnlinkCommand): Promise<Result<object>> {
    return this.#api.unlink(command);
  }

  listFollowers(command: ListFollowersCommand): Promise<FollowerPage> {
    return this.#api.listFollowers(command);
  }

  endLinks(filter: FollowerFilter): Promise<{ ended: number }> {
    return this.#api.endLinks(filter);
  }

  notify(notification: SourceNotification | null): Promise<number | null> {
    return this.#api.notify(notification);
  }

  shard(ref: ShardRef): Promise<ShardResult | null> {
    return this.#api.shard(ref);
  }

  shardServed(ref: ShardRef, failures: readonly ShardFailure[]): Promise<void> {
    return this.#api.shardServed(ref, failures);
  }

  override alarm(): Promise<void> {
    return this.#followers.alarm();
  }
}
