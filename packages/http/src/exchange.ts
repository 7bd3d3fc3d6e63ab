/** The context that the handlers of one request share. */

import type { Config } from "@durable-streams-cloudflare/core/config";
import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";

import type { Authorize, Granted } from "./auth/authorize.ts";
import type { AppendBatcher, KeepAlive } from "./client/append-batcher.ts";
import type { SharedReads } from "./client/shared-reads.ts";
import type { StreamClient } from "./client/stream-client.ts";
import type { HeldBytes } from "./limits/held-bytes.ts";
import type { RateLimiter } from "./limits/rate-limit.ts";
import type { CountersOf } from "./limits/stream-quota.ts";
import type { LiveHubs } from "./live/live-hubs.ts";
import type { LiveReads } from "./live/live-reads.ts";
import type { Target } from "./paths/target.ts";
import type { HttpRequest } from "./ports.ts";

/** One authorized request to a stream, with everything that its handlers use. */
export interface Exchange {
  readonly request: HttpRequest;
  readonly config: Config;
  readonly target: Target;
  readonly stream: StreamClient;
  readonly appends: AppendBatcher;
  readonly bodies: HeldBytes;
  readonly reads: SharedReads;
  readonly liveReads: LiveReads;
  readonly hubs: LiveHubs<Exchange>;
  readonly keepAlive: KeepAlive;
  /** The object storage of cold segments; without it there are none. */
  readonly segments: SegmentStore | undefined;
  readonly limiter: RateLimiter;
  readonly counters: CountersOf | undefined;
  /** Authorizes reading a second stream: the source of a fork. */
  readonly authorize: Authorize;
  readonly granted: Granted;
}
