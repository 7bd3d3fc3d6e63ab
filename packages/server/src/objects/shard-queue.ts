/** Handles the messages of the shard queue, in the Worker. */

import type { SessionApi, ShardApi, ShardRef, SourceApi } from "@durable-streams-cloudflare/core/contracts/fan-out";
import { serveShard, type ShardHost } from "@durable-streams-cloudflare/core/fan-out/delivery/shard-dispatcher";
import { sessionOf, sourceOf, followersOf } from "@durable-streams-cloudflare/core/fan-out/delivery/stubs";
import { FOREGROUND } from "@durable-streams-cloudflare/core/kit/yield";

import { r2SegmentStore } from "../bindings/r2-segment-store.ts";

/** A shard that could not be served comes again after this long. */
const RETRY_SECONDS = 2;

/** The bindings that serving shards needs. */
export interface ShardEnv {
  readonly SEGMENTS?: R2Bucket;
  readonly STREAMS: { getByName(name: string): SourceApi & SessionApi };
  readonly SUBSCRIPTIONS?: { getByName(source: string): ShardApi };
}

/**
 * Serves the shards of a batch one after the other. Never throws: each message is acknowledged, or marked for redelivery, by
 * itself.
 */
export async function serveShards(batch: MessageBatch, env: ShardEnv): Promise<void> {
  const { SUBSCRIPTIONS } = env;
  if (SUBSCRIPTIONS === undefined) return;
  const host: ShardHost = {
    segments: env.SEGMENTS && r2SegmentStore(env.SEGMENTS),
    followers: (source) => followersOf(() => SUBSCRIPTIONS.getByName(source)),
    stream: (name) => sourceOf(() => env.STREAMS.getByName(name)),
    session: (name) => sessionOf(() => env.STREAMS.getByName(name)),
    now: () => Date.now(),
    pause: (ms) => FOREGROUND.yieldToAppends(ms),
  };
  for (const message of batch.messages) {
    try {
      await serveShard(host, message.body as ShardRef);
      message.ack();
    } catch {
      message.retry({ delaySeconds: RETRY_SECONDS });
    }
  }
}
