/** Composes the edge of this host: its routes, and what they work with. */

import type { Config } from "@durable-streams-cloudflare/core/config";
import {
  accessOf,
  authorizeAllOf,
  authorizeOf,
  claimsSourceOf,
  wakeProofOf,
} from "@durable-streams-cloudflare/http/auth/access";
import type { Authorize } from "@durable-streams-cloudflare/http/auth/authorize";
import { PublicKeys } from "@durable-streams-cloudflare/http/auth/public-keys";
import { Registry } from "@durable-streams-cloudflare/http/auth/registry";
import { staticRegistryStore } from "@durable-streams-cloudflare/http/auth/static-project";
import { WakeGuard } from "@durable-streams-cloudflare/http/auth/wake-guard";
import { AppendBatcher } from "@durable-streams-cloudflare/http/client/append-batcher";
import { Projects } from "@durable-streams-cloudflare/http/client/projects";
import { SharedReads } from "@durable-streams-cloudflare/http/client/shared-reads";
import { createEdge, type Edge } from "@durable-streams-cloudflare/http/edge";
import { HeldBytes } from "@durable-streams-cloudflare/http/limits/held-bytes";
import { rateLimiterOf } from "@durable-streams-cloudflare/http/limits/isolate-limiter";
import type { StorageStatus } from "@durable-streams-cloudflare/http/limits/storage-status";
import { Strangers } from "@durable-streams-cloudflare/http/limits/strangers";
import { createHubs } from "@durable-streams-cloudflare/http/live/create-hubs";
import type { LiveReads } from "@durable-streams-cloudflare/http/live/live-reads";
import type { ProjectPorts } from "@durable-streams-cloudflare/http/routing/edge-ports";
import type { Route } from "@durable-streams-cloudflare/http/routing/route";

import type { ObjectHost } from "../objects/object-host.ts";
import type { Tracing } from "../telemetry/tracing.ts";

/** The parts that the edge is composed of. */
export interface EdgeParts {
  readonly config: Config;
  /** Decides who may do what, if there is such a hook. */
  readonly authorize: Authorize | undefined;
  readonly objects: ObjectHost;
  readonly liveReads: LiveReads;
  readonly storage: StorageStatus;
  /** The route table, with the routes of modules. */
  readonly routes: readonly Route[];
  readonly tracing: Pick<Tracing, "routed"> | undefined;
}

/**
 * Composes the edge.
 * @throws Error if the objects of projects or the registry are missing.
 */
export function composeEdge({ config, authorize, objects, liveReads, storage, routes, tracing }: EdgeParts): Edge {
  const {
    streams,
    projects: projectObjects,
    registry: kv,
    followers,
    sessions,
    subscriptions,
    segments,
    send,
  } = objects.peers;
  if (projectObjects === undefined || kv === undefined) throw new Error("The server has no projects.");
  const limiter = rateLimiterOf(undefined);
  const registry = new Registry(staticRegistryStore(kv, config));
  const projects: ProjectPorts = {
    registry,
    send,
    strangers: new Strangers(config.strangersPerMinute, config.originSecret !== ""),
    claims: claimsSourceOf(config, send),
    projects: new Projects({ REGISTRY: kv, PROJECTS: projectObjects, STREAMS: streams }, registry),
    authorizeAll: authorizeAllOf(config, authorize),
  };
  return createEdge(
    {
      config,
      access: accessOf(config, authorize),
      storage,
      authorize: authorizeOf(config, authorize, projects),
      streams: {
        getByName: (name) => streams.getByName(name),
        attach: (name, from, admission) => objects.attach(name, from, admission),
        idOf: (name) => name,
      },
      // Where edge and objects share a process there is no call to save.
      appends: new AppendBatcher(false),
      reads: new SharedReads(false),
      bodies: new HeldBytes(config.bodiesBytesMax),
      liveReads,
      hubs: createHubs(config, liveReads),
      projects,
      wakes: new WakeGuard(projects, wakeProofOf(config, authorize)),
      keys: new PublicKeys(),
      limiter,
      counters: (project) => projectObjects.getByName(project).counters(),
      control: subscriptions && { subscriptions, projects: projectObjects },
      estuaries: sessions,
      followers,
      segments,
      modules: objects.modules,
      onRouted: tracing && ((request, destination) => tracing.routed(request, destination)),
    },
    routes,
  );
}
