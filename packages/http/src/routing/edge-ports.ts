/** Everything that routes use. The host composes it once, for all requests. */

import type { Config } from "@durable-streams-cloudflare/core/config";
import type { EstuaryApi, FollowerSetApi } from "@durable-streams-cloudflare/core/contracts/fan-out";
import type { ProjectApi } from "@durable-streams-cloudflare/core/contracts/project";
import type { WakeSubscriptionApi } from "@durable-streams-cloudflare/core/contracts/wakes";
import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";
import type { Result } from "@durable-streams-cloudflare/protocol";

import type { Authorize } from "../auth/authorize.ts";
import type { ProjectFinder } from "../auth/project-authorize.ts";
import type { PublicKeys } from "../auth/public-keys.ts";
import type { WakeGuard } from "../auth/wake-guard.ts";
import type { AppendBatcher } from "../client/append-batcher.ts";
import type { Projects } from "../client/projects.ts";
import type { SharedReads } from "../client/shared-reads.ts";
import type { Exchange } from "../exchange.ts";
import type { HeldBytes } from "../limits/held-bytes.ts";
import type { RateLimiter } from "../limits/rate-limit.ts";
import type { StorageStatus } from "../limits/storage-status.ts";
import type { CountersOf } from "../limits/stream-quota.ts";
import type { LiveHubs } from "../live/live-hubs.ts";
import type { LiveReads } from "../live/live-reads.ts";
import type { ModuleCounts } from "../modules/module-counts.ts";
import type { ModuleObjects } from "../modules/socket.ts";
import type { HttpRequest, Objects, StreamObjects } from "../ports.ts";

/**
 * Who may use the server: everybody, whoever has a valid token, whomever a trusted proxy vouches for, or whomever the
 * `authorize` hook of the Worker that mounts the server admits.
 */
export type Access = "everybody" | "tokens" | "proxy" | "hook";

/** The dependencies of all routes. */
export interface EdgePorts {
  readonly config: Config;
  readonly access: Access;
  readonly authorize: Authorize;
  readonly streams: StreamObjects;
  readonly appends: AppendBatcher;
  readonly bodies: HeldBytes;
  readonly reads: SharedReads;
  readonly liveReads: LiveReads;
  readonly hubs: LiveHubs<Exchange>;
  readonly limiter: RateLimiter;
  readonly wakes: WakeGuard;
  readonly keys: PublicKeys;
  /** The object storage of cold segments; `undefined` if there is none. */
  readonly segments: SegmentStore | undefined;
  /** Reads a project's counters; `undefined` if the server does not limit streams and bytes. */
  readonly counters: CountersOf | undefined;
  /** The status of the host's disk; `undefined` if objects can always store something. */
  readonly storage: StorageStatus | undefined;
  /** The registry of projects; `undefined` if the server has none. */
  readonly projects: ProjectPorts | undefined;
  /** The objects of the protocol's subscriptions; `undefined` if the server has none. */
  readonly control: ControlObjects | undefined;
  /** The objects of sessions; `undefined` if the server has none. */
  readonly estuaries: Objects<EstuaryApi> | undefined;
  /** The follower sets of sources; present if and only if `estuaries` is. */
  readonly followers: Objects<FollowerSetApi> | undefined;
  /** Told where each request leads, before it is served. Absent where nobody watches requests. */
  readonly onRouted?: ((request: HttpRequest, destination: Destination) => void) | undefined;
  /** What each module uses, by the module's name. */
  readonly modules: ReadonlyMap<string, ModulePorts>;
}

/** Where a request leads, for those who watch requests. */
export interface Destination {
  /** The pattern of its path; `undefined`: there is no route. */
  readonly route: string | undefined;
  /** `""`: it is of no project. */
  readonly project: string;
  readonly stream: string | undefined;
}

/** What the handlers and the objects of one module use. */
export interface ModulePorts {
  /** The values of its settings, by name. */
  readonly settings: unknown;
  /** Its objects, by binding. */
  readonly objects: Readonly<Record<string, ModuleObjects>>;
  readonly counts: Pick<ModuleCounts, "add" | "metrics">;
}

/** The registry of projects and the operations on it. */
export interface ProjectPorts extends ProjectFinder {
  readonly projects: Projects;
  /** Authorizes all requests about projects without tokens; set only with `AUTH_MODE=none`. */
  readonly authorizeAll: ((request: HttpRequest) => Result<object>) | undefined;
}

/** The objects that serve the protocol's subscriptions. */
export interface ControlObjects {
  readonly subscriptions: Objects<WakeSubscriptionApi>;
  readonly projects: Objects<ProjectApi>;
}
