/** The server as a library: mount it in a Worker of your own. */

import { parseConfig, type Config } from "../config.ts";
import type { ConsumerDO } from "../consumer/object.ts";
import type { EstuaryDO } from "../estuary/object.ts";
import type { ProjectDO } from "../project/object.ts";
import { Projects } from "../project/projects.ts";
import { Registry } from "../project/registry.ts";
import { staticRegistryStore } from "../project/static-project.ts";
import { r2SegmentStore } from "../storage/segment-store.ts";
import type { StreamDO } from "../stream/object.ts";
import type { SubscriptionDO } from "../subscription/object.ts";
import { serveShards } from "../subscription/shard-queue.ts";
import { withoutAbsent, type MayExist } from "./absent-objects.ts";
import { AppendBatcher } from "./append-batcher.ts";
import { defaultAuthorize, grantEverything, type Authorize } from "./authorize.ts";
import { createEdge, type Edge } from "./edge.ts";
import { HeldBytes } from "./held-bytes.ts";
import { rateLimiterOf } from "./isolate-limiter.ts";
import { LiveReads } from "./live/live-reads.ts";
import { projectAuthorize } from "./project-authorize.ts";
import { PublicKeys } from "./public-keys.ts";
import type { RateLimiter } from "./rate-limit.ts";
import type { Access } from "./routes/home.ts";
import type { ProjectRoutePorts } from "./routes/projects.ts";
import { SharedReads } from "./shared-reads.ts";
import type { StorageStatus } from "./storage-status.ts";
import { Strangers } from "./strangers.ts";
import type { CountersOf } from "./stream-quota.ts";
import { WakeGuard, type WakeProof } from "./wake-guard.ts";

/** What the server needs of a Worker's environment: these bindings, and any of the settings as vars. */
export interface DurableStreamsEnv {
  readonly STREAMS: DurableObjectNamespace<StreamDO>;
  /** Both or neither; without them there are no projects, and only an `authorize` hook lets anybody in. */
  readonly REGISTRY?: KVNamespace;
  readonly PROJECTS?: DurableObjectNamespace<ProjectDO>;
  /**
   * For limits of projects for each minute: 1,000,000 in 60 seconds, as in the repository's `wrangler.toml`. Without it
   * each isolate counts for itself.
   */
  readonly RATE_LIMITER?: RateLimiter;
  /** Takes the older part of long streams. Without it everything stays in the objects. */
  readonly SEGMENTS?: R2Bucket;
  /** Both or neither; without them there are no estuaries. */
  readonly SUBSCRIPTIONS?: DurableObjectNamespace<SubscriptionDO>;
  readonly ESTUARIES?: DurableObjectNamespace<EstuaryDO>;
  /** Together with `PROJECTS`; without them there are no subscriptions of the protocol. */
  readonly CONSUMERS?: DurableObjectNamespace<ConsumerDO>;
  /** Takes the shards of rounds to many sessions; its consumer is `queue`. Without it subscriptions serve all themselves. */
  readonly FANOUT?: Queue;
}

export interface DurableStreamsOptions {
  /** Decides who may do what; without it, `AUTH_MODE` does. */
  readonly authorize?: Authorize;
  /** Where the objects do not lie on Cloudflare: whether they can store anything. */
  readonly storage?: StorageStatus;
  /** Whether an object may hold anything, where the host can tell: one that holds nothing is then not called. */
  readonly mayExist?: MayExist;
}

export interface DurableStreams<Env extends DurableStreamsEnv> {
  fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response>;
  /** The consumer of the queue that is bound as `FANOUT`. */
  queue(batch: MessageBatch, env: Env): Promise<void>;
  /** The long-polls and event streams that this isolate serves now. */
  readonly liveReads: LiveReads;
}

/**
 * Makes the Worker's handlers. Settings are read once per environment.
 * @throws ConfigError from `fetch` when a setting is out of its bounds; nothing is served then.
 * @example
 * export { StreamDO } from "@durable-streams-cloudflare/server";
 * export default createDurableStreams({ authorize: ({ request }) => mine(request) });
 */
export function createDurableStreams<Env extends DurableStreamsEnv = DurableStreamsEnv>(
  options: DurableStreamsOptions = {},
): DurableStreams<Env> {
  const edges = new WeakMap<Env, Edge>();
  const liveReads = new LiveReads();
  const edgeOf = (bound: Env): Edge => {
    const known = edges.get(bound);
    if (known !== undefined) return known;
    const env = options.mayExist === undefined ? bound : withoutAbsent(bound, options.mayExist);
    const config = parseConfig(env);
    const limiter = rateLimiterOf(env.RATE_LIMITER);
    const projects = projectPorts(env, config, limiter, options);
    const edge = createEdge({
      config,
      access: accessOf(config, options),
      storage: options.storage,
      authorize: options.authorize ?? authorizeOf(config, projects),
      streams: env.STREAMS,
      appends: new AppendBatcher(config.sharedAppends === "on"),
      bodies: new HeldBytes(config.bodiesBytesMax),
      reads: new SharedReads(config.sharedReads === "on"),
      liveReads,
      projects,
      wakes: new WakeGuard(projects, wakeProofOf(config, options)),
      keys: new PublicKeys(),
      limiter,
      counters: countersOf(env),
      control: env.CONSUMERS && env.PROJECTS && { consumers: env.CONSUMERS, projects: env.PROJECTS },
      estuaries: env.SUBSCRIPTIONS && env.ESTUARIES,
      followers: env.SUBSCRIPTIONS,
      segments: env.SEGMENTS && r2SegmentStore(env.SEGMENTS),
    });
    edges.set(bound, edge);
    return edge;
  };
  return {
    fetch: async (request, env, context) => edgeOf(env).fetch(request, context),
    queue: serveShards,
    liveReads,
  };
}

function accessOf({ authMode }: Config, { authorize }: DurableStreamsOptions): Access {
  if (authorize !== undefined) return "hook";
  return authMode === "none" ? "everybody" : "tokens";
}

function countersOf({ PROJECTS }: DurableStreamsEnv): CountersOf | undefined {
  return PROJECTS && ((project) => PROJECTS.getByName(project).counters());
}

function wakeProofOf({ authMode }: Config, { authorize }: DurableStreamsOptions): WakeProof {
  if (authorize !== undefined) return "form";
  return authMode === "none" ? "nothing" : "tag";
}

function authorizeOf({ authMode }: Config, projects: ProjectRoutePorts | undefined): Authorize {
  return authMode === "project" && projects !== undefined ? projectAuthorize(projects) : defaultAuthorize(authMode);
}

function projectPorts(
  { REGISTRY, PROJECTS, STREAMS }: DurableStreamsEnv,
  config: Config,
  limiter: RateLimiter,
  options: DurableStreamsOptions,
): ProjectRoutePorts | undefined {
  if (REGISTRY === undefined || PROJECTS === undefined) return undefined;
  const strangers = new Strangers(config.strangersPerMinute, config.originSecret !== "");
  const registry = new Registry(staticRegistryStore(REGISTRY, config.projectSecret));
  return {
    config,
    registry,
    strangers,
    limiter,
    projects: new Projects({ REGISTRY, PROJECTS, STREAMS }, registry),
    authorizeAll: accessOf(config, options) === "everybody" ? (request) => grantEverything({ request }) : undefined,
  };
}
