/** The server as a library: `createDurableStreams` serves it from a Worker of your own. */

import { parseConfig, type Config } from "@durable-streams-cloudflare/core/config";
import { logWarning } from "@durable-streams-cloudflare/core/kit/log";
import { unknownVariables, variableOf } from "@durable-streams-cloudflare/core/setting-paths";
import {
  accessOf,
  authorizeAllOf,
  authorizeOf,
  claimsSourceOf,
  wakeProofOf,
} from "@durable-streams-cloudflare/http/auth/access";
import type {
  Authorize as AuthorizeHttp,
  AuthorizeInput as AuthorizeHttpInput,
} from "@durable-streams-cloudflare/http/auth/authorize";
import { PublicKeys } from "@durable-streams-cloudflare/http/auth/public-keys";
import { Registry } from "@durable-streams-cloudflare/http/auth/registry";
import { staticRegistryStore } from "@durable-streams-cloudflare/http/auth/static-project";
import { WakeGuard } from "@durable-streams-cloudflare/http/auth/wake-guard";
import { AppendBatcher } from "@durable-streams-cloudflare/http/client/append-batcher";
import { impatienceLog } from "@durable-streams-cloudflare/http/client/impatience-log";
import { Projects } from "@durable-streams-cloudflare/http/client/projects";
import { SharedReads } from "@durable-streams-cloudflare/http/client/shared-reads";
import { createEdge, type Edge } from "@durable-streams-cloudflare/http/edge";
import { HeldBytes } from "@durable-streams-cloudflare/http/limits/held-bytes";
import { rateLimiterOf } from "@durable-streams-cloudflare/http/limits/isolate-limiter";
import type { RateLimiter } from "@durable-streams-cloudflare/http/limits/rate-limit";
import type { StorageStatus } from "@durable-streams-cloudflare/http/limits/storage-status";
import { Strangers } from "@durable-streams-cloudflare/http/limits/strangers";
import type { CountersOf } from "@durable-streams-cloudflare/http/limits/stream-quota";
import { createHubs } from "@durable-streams-cloudflare/http/live/create-hubs";
import { LiveReads } from "@durable-streams-cloudflare/http/live/live-reads";
import type { Module } from "@durable-streams-cloudflare/http/modules/module-types";
import type { EdgePorts, ProjectPorts } from "@durable-streams-cloudflare/http/routing/edge-ports";
import { composeRoutes } from "@durable-streams-cloudflare/http/routing/table";

import { r2SegmentStore } from "./bindings/r2-segment-store.ts";
import { toResponse } from "./bindings/to-response.ts";
import { withoutAbsent, type MayExist } from "./objects/absent-objects.ts";
import type { ConsumerDO } from "./objects/consumer-do.ts";
import type { EstuaryDO } from "./objects/estuary-do.ts";
import type { ProjectDO } from "./objects/project-do.ts";
import { serveShards } from "./objects/shard-queue.ts";
import type { StreamDO } from "./objects/stream-do.ts";
import { streamObjects } from "./objects/stream-objects.ts";
import type { SubscriptionDO } from "./objects/subscription-do.ts";

/** The server's part of a Worker's environment: these bindings, and any of the settings as vars. */
export interface DurableStreamsEnv {
  readonly STREAMS: DurableObjectNamespace<StreamDO>;
  /**
   * Copies of project records, for the edge. Bind it together with `PROJECTS`, or neither. Without them, there are no projects,
   * and only an `authorize` hook can authorize requests.
   */
  readonly REGISTRY?: KVNamespace;
  readonly PROJECTS?: DurableObjectNamespace<ProjectDO>;
  /**
   * Counts requests for the projects' limits per minute. Configure it with a limit of 1,000,000 in 60 seconds, as in the
   * repository's `wrangler.toml`. Without it, each isolate counts by itself.
   */
  readonly RATE_LIMITER?: RateLimiter;
  /** The bucket for the older part of long streams. Without it, all bytes stay in the Durable Objects. */
  readonly SEGMENTS?: R2Bucket;
  /** The follower sets of sources. Bind it together with `ESTUARIES`, or neither. Without them, there are no estuaries. */
  readonly SUBSCRIPTIONS?: DurableObjectNamespace<SubscriptionDO>;
  readonly ESTUARIES?: DurableObjectNamespace<EstuaryDO>;
  /** The protocol's subscriptions. They need `PROJECTS` as well; without both, the server has no `__ds` routes. */
  readonly CONSUMERS?: DurableObjectNamespace<ConsumerDO>;
  /**
   * The queue for the shards of large delivery passes, which `DurableStreams.queue` consumes. Without it, a source's object
   * delivers to all its followers itself.
   */
  readonly FANOUT?: Queue;
}

export type Authorize = AuthorizeHttp<Request>;
export type AuthorizeInput = AuthorizeHttpInput<Request>;

/** The options of `createDurableStreams`; none is required. */
export interface DurableStreamsOptions {
  /** Authorizes requests. Without it, the setting `AUTH_MODE` decides how they are authorized. */
  readonly authorize?: Authorize;
  /** The status of the disk, on a host other than Cloudflare. While it reports a fault, writes are refused. */
  readonly storage?: StorageStatus;
  /** Whether an object may have stored anything, on a host that knows. Objects that have not are then not called. */
  readonly mayExist?: MayExist;
  /**
   * Removes the stored data of a stream's object if it is damaged, on a host that can. An object that cannot open its database
   * does not start, so it cannot remove the data itself.
   * @returns whether the data was damaged and has been removed.
   */
  readonly removeDamaged?: (name: string) => Promise<boolean>;
  /**
   * Modules, each with its own routes, and possibly its own objects and settings (`docs/modules.md`). For each class of a
   * module's objects, the Worker exports a class made by `moduleObject`.
   */
  readonly modules?: readonly Module[];
}

/** The server's handlers, for the Worker that mounts it. */
export interface DurableStreams<Env extends DurableStreamsEnv> {
  fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response>;
  /**
   * Checks the settings and the bindings of modules. Call it where the Worker starts, with `env` of `cloudflare:workers`, so
   * that a deploy with something missing fails instead of its requests.
   * @throws ConfigError which says what is wrong or missing.
   */
  check(env: object): void;
  /** The queue handler for the queue that is bound as `FANOUT`. */
  queue(batch: MessageBatch, env: Env): Promise<void>;
  /** The live reads (long-poll and SSE) that this isolate serves now. */
  readonly liveReads: LiveReads;
}

/**
 * Makes the Worker's handlers. Settings are parsed once per environment. If a setting is invalid, or a module's binding is
 * missing, `fetch` throws ConfigError and serves nothing.
 * @throws ModuleError if the modules do not fit together.
 * @example
 * export { StreamDO } from "@durable-streams-cloudflare/server";
 * export default createDurableStreams({ authorize: ({ request }) => mine(request) });
 */
export function createDurableStreams<Env extends DurableStreamsEnv = DurableStreamsEnv>(
  options: DurableStreamsOptions = {},
): DurableStreams<Env> {
  const edges = new WeakMap<Env, Edge>();
  const liveReads = new LiveReads();
  const { modules = [] } = options;
  const routes = composeRoutes(modules);
  const edgeOf = (bound: Env): Edge => {
    const known = edges.get(bound);
    if (known !== undefined) return known;
    const env = options.mayExist === undefined ? bound : withoutAbsent(bound, options.mayExist);
    const config = parseConfig(env);
    for (const name of unknownVariables(env, variablesOf(modules))) {
      logWarning(config.logLevel, `The variable ${name} is not a setting of a Worker, so it has no effect.`);
    }
    const limiter = rateLimiterOf(env.RATE_LIMITER);
    // Every request of this host is a `Request`.
    const hook = options.authorize as AuthorizeHttp | undefined;
    const projects = projectPorts(env, config, hook);
    const ports: EdgePorts = {
      config,
      access: accessOf(config, hook),
      storage: options.storage,
      authorize: authorizeOf(config, hook, projects),
      streams: streamObjects(env.STREAMS, (name) => bound.STREAMS.idFromName(name).toString(), options.removeDamaged),
      appends: new AppendBatcher(config.sharedAppends === "on", impatienceLog(config, "SHARED_APPENDS")),
      bodies: new HeldBytes(config.bodiesBytesMax),
      reads: new SharedReads(config.sharedReads === "on", impatienceLog(config, "SHARED_READS")),
      liveReads,
      hubs: createHubs(config, liveReads),
      projects,
      wakes: new WakeGuard(projects, wakeProofOf(config, hook)),
      keys: new PublicKeys(),
      limiter,
      counters: countersOf(env),
      control: env.CONSUMERS && env.PROJECTS && { subscriptions: env.CONSUMERS, projects: env.PROJECTS },
      estuaries: env.SUBSCRIPTIONS && env.ESTUARIES,
      followers: env.SUBSCRIPTIONS,
      segments: env.SEGMENTS && r2SegmentStore(env.SEGMENTS),
      modules: new Map(modules.map((module) => [module.name, module.portsOf(env)])),
    };
    const edge = createEdge(ports, routes);
    edges.set(bound, edge);
    return edge;
  };
  return {
    check: (env) => {
      parseConfig(env);
      for (const module of modules) module.portsOf(env);
    },
    fetch: async (request, env, context) => toResponse(await edgeOf(env).answer(request, context)),
    queue: serveShards,
    liveReads,
  };
}

function variablesOf(modules: readonly Module[]): readonly string[] {
  return modules.flatMap(({ settings }) => Object.values(settings).map(({ path }) => variableOf(path)));
}

function countersOf({ PROJECTS }: DurableStreamsEnv): CountersOf | undefined {
  return PROJECTS && ((project) => PROJECTS.getByName(project).counters());
}

function projectPorts(
  { REGISTRY, PROJECTS, STREAMS }: DurableStreamsEnv,
  config: Config,
  hook: AuthorizeHttp | undefined,
): ProjectPorts | undefined {
  if (REGISTRY === undefined || PROJECTS === undefined) return undefined;
  const strangers = new Strangers(config.strangersPerMinute, config.originSecret !== "");
  const registry = new Registry(staticRegistryStore(REGISTRY, config));
  return {
    registry,
    strangers,
    claims: claimsSourceOf(config),
    projects: new Projects({ REGISTRY, PROJECTS, STREAMS }, registry),
    authorizeAll: authorizeAllOf(config, hook),
  };
}
