/** The object of a source's followers: composes the core's follower set with what a host supplies. */

import type { ShardApi, FollowerSetApi } from "@durable-streams-cloudflare/core/contracts/fan-out";
import { SHARD_SESSIONS } from "@durable-streams-cloudflare/core/fan-out/delivery/shards";
import { keysOf, ownerOf, sessionOf, sourceOf } from "@durable-streams-cloudflare/core/fan-out/delivery/stubs";
import { FollowerSet } from "@durable-streams-cloudflare/core/fan-out/source/follower-set";
import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import { wallMs } from "@durable-streams-cloudflare/core/kit/time/clock";
import { FOREGROUND } from "@durable-streams-cloudflare/core/kit/yield";

import type { ObjectPeers, ObjectRuntime } from "./runtime.ts";

/**
 * Creates the follower set of a source.
 * @throws Error if the server has no sessions.
 */
export function createFollowers(runtime: ObjectRuntime, peers: ObjectPeers): FollowerSet {
  const { config, sessions } = peers;
  if (sessions === undefined) throw new Error("Where sources have followers, there must be sessions.");
  return new FollowerSet(
    {
      database: runtime.database,
      name: runtime.name,
      segments: peers.segments,
      stream: (name) => sourceOf(() => peers.streams.getByName(name)),
      session: (name) => sessionOf(() => peers.streams.getByName(name)),
      owner: (name) => ownerOf(() => sessions.getByName(name)),
      keys: keysOf(peers.projects, runtime.name),
      shards: peers.shards,
      now: wallMs,
      pause: (ms) => FOREGROUND.yieldToAppends(ms),
      sync: () => runtime.sync(),
      purge: () => runtime.purge(),
      setAlarm: (atMs) => runtime.setAlarm(atMs),
      clearAlarm: () => runtime.clearAlarm(),
      report: (message, error) => logFault(config.logLevel, message, error),
    },
    { shardedAbove: config.fanOutQueueAbove, shardSessions: SHARD_SESSIONS },
  );
}

/** The methods that other objects, the edge and the queue may call. */
export function followersApi(followers: FollowerSet): FollowerSetApi & ShardApi {
  return {
    link: (command) => followers.link(command),
    unlink: (command) => followers.unlink(command),
    listFollowers: async (command) => followers.followers(command),
    endLinks: (filter) => followers.endLinks(filter),
    notify: async (notification) => followers.notify(notification),
    shard: async (ref) => followers.shard(ref),
    shardServed: async (ref, failures) => followers.shardServed(ref, failures),
  };
}
