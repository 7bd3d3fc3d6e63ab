/** One request to a stream: which stream it is, whether it may be done, and what comes of it. */

import type { Config } from "@durable-streams-cloudflare/core/config";
import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";

import { addVary, type Answer } from "./answers/answer.ts";
import { refusedAnswer } from "./answers/problem.ts";
import { SCOPE_OF_METHOD, type Authorize } from "./auth/authorize.ts";
import type { AppendBatcher } from "./client/append-batcher.ts";
import type { SharedReads } from "./client/shared-reads.ts";
import { StreamClient } from "./client/stream-client.ts";
import type { HeldBytes } from "./limits/held-bytes.ts";
import { refuseRequest, type RateLimiter } from "./limits/rate-limit.ts";
import type { CountersOf } from "./limits/stream-quota.ts";
import type { LiveReads } from "./live/live-reads.ts";
import { parseControlPath } from "./paths/control-path.ts";
import { parseTarget, rawPath } from "./paths/target.ts";
import type { HttpRequest, Background, StreamObjects } from "./ports.ts";
import { handleStream, refuseStreamMethod, withoutBareForbidden } from "./routes/streams.ts";
import { serveSubscriptions, type SubscriptionPorts } from "./routes/subscriptions.ts";

export interface StreamPorts extends SubscriptionPorts {
  readonly appends: AppendBatcher;
  readonly bodies: HeldBytes;
  readonly reads: SharedReads;
  readonly liveReads: LiveReads;
  readonly config: Config;
  readonly authorize: Authorize;
  readonly streams: StreamObjects;
  readonly segments: SegmentStore | undefined;
  readonly limiter: RateLimiter;
  /** Without it projects have no limits of streams and bytes. */
  readonly counters: CountersOf | undefined;
}

/** Serves a request whose path is that of a stream (`isStreamPath`). */
export async function serveStream(ports: StreamPorts, request: HttpRequest, background: Background): Promise<Answer> {
  const startedAt = performance.now();
  const { config, appends, bodies, reads, liveReads, segments, limiter, counters, authorize } = ports;
  const target = parseTarget(request.url, config.tenancy);
  if (!target.ok) {
    const control = parseControlPath(rawPath(request.url), config.tenancy);
    return control === undefined ? refusedAnswer(request, target) : serveSubscriptions(ports, request, control);
  }
  const scope = SCOPE_OF_METHOD[request.method];
  if (scope === undefined) return refusedAnswer(request, refuseStreamMethod());
  const granted = await authorize({ request, project: target.project, stream: target.stream, scope });
  if (!granted.ok) return refusedAnswer(request, withoutBareForbidden(request, granted));
  const limited = refuseRequest(limiter, granted.limits, target.project, 1, granted.budget);
  const tooMany = limited === undefined ? undefined : await limited;
  if (tooMany !== undefined) return refusedAnswer(request, tooMany);
  const stream = new StreamClient(ports.streams, target.objectName, granted.incarnation);
  const keepAlive = (promise: Promise<unknown>): void => background.waitUntil(promise);
  const shared = { config, appends, bodies, reads, liveReads, segments, limiter, counters, authorize };
  const handled = await handleStream({ ...shared, request, target, stream, keepAlive, granted });
  const answer = handled.ok ? handled.answer : await refusedAnswer(request, handled);
  // A browser's own cache must not answer one user with what another has read.
  if (!granted.isPublic) addVary(answer, "Authorization");
  if (wantsTiming(request, config))
    answer.headers["Server-Timing"] = timing(stream.objectMs, performance.now() - startedAt);
  return answer;
}

function wantsTiming(request: HttpRequest, config: Config): boolean {
  if (config.serverTiming === "on-request") return request.headers.get("Stream-Server-Timing") !== null;
  return config.serverTiming === "always";
}

function timing(objectMs: number, totalMs: number): string {
  return `object;dur=${objectMs.toFixed(1)}, total;dur=${totalMs.toFixed(1)}`;
}
