/** What the handlers of one request share. */

import type { Config } from "../config.ts";
import type { SegmentStore } from "../storage/segment-store.ts";
import type { AppendBatcher, KeepAlive } from "./append-batcher.ts";
import type { Authorize, Granted } from "./authorize.ts";
import type { HeldBytes } from "./held-bytes.ts";
import type { LiveReads } from "./live/live-reads.ts";
import type { RateLimiter } from "./rate-limit.ts";
import type { SharedReads } from "./shared-reads.ts";
import type { StreamClient } from "./stream-client.ts";
import type { CountersOf } from "./stream-quota.ts";
import type { Target } from "./target.ts";

export interface Exchange {
  readonly request: Request;
  readonly config: Config;
  readonly target: Target;
  readonly stream: StreamClient;
  readonly appends: AppendBatcher;
  readonly bodies: HeldBytes;
  readonly reads: SharedReads;
  readonly liveReads: LiveReads;
  readonly keepAlive: KeepAlive;
  /** Where cold bytes are; without it there are none. */
  readonly segments: SegmentStore | undefined;
  readonly limiter: RateLimiter;
  readonly counters: CountersOf | undefined;
  /** For the second stream that a fork is about. */
  readonly authorize: Authorize;
  readonly granted: Granted;
}
