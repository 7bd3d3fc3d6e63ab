/** Everything that the routes work with: composed once by the host, and used by all requests. */

import type { Config } from "@durable-streams-cloudflare/core/config";
import type { EstuaryApi, SubscriptionApi } from "@durable-streams-cloudflare/core/contracts/fan-out";
import type { ProjectApi } from "@durable-streams-cloudflare/core/contracts/project";
import type { ConsumerApi } from "@durable-streams-cloudflare/core/contracts/wakes";
import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";
import type { Result } from "@durable-streams-cloudflare/protocol";

import type { Authorize } from "../auth/authorize.ts";
import type { ProjectFinder } from "../auth/project-authorize.ts";
import type { PublicKeys } from "../auth/public-keys.ts";
import type { WakeGuard } from "../auth/wake-guard.ts";
import type { AppendBatcher } from "../client/append-batcher.ts";
import type { Projects } from "../client/projects.ts";
import type { SharedReads } from "../client/shared-reads.ts";
import type { HeldBytes } from "../limits/held-bytes.ts";
import type { RateLimiter } from "../limits/rate-limit.ts";
import type { StorageStatus } from "../limits/storage-status.ts";
import type { CountersOf } from "../limits/stream-quota.ts";
import type { LiveReads } from "../live/live-reads.ts";
import type { HttpRequest, Objects, StreamObjects } from "../ports.ts";

/** Whom the server lets in. `hook`: a Worker that mounts it decides. */
export type Access = "everybody" | "tokens" | "hook";

export interface EdgePorts {
  readonly config: Config;
  readonly access: Access;
  readonly authorize: Authorize;
  readonly streams: StreamObjects;
  readonly appends: AppendBatcher;
  readonly bodies: HeldBytes;
  readonly reads: SharedReads;
  readonly liveReads: LiveReads;
  readonly limiter: RateLimiter;
  readonly wakes: WakeGuard;
  readonly keys: PublicKeys;
  /** `undefined`: there are no cold segments. */
  readonly segments: SegmentStore | undefined;
  /** `undefined`: projects have no limits of streams and bytes. */
  readonly counters: CountersOf | undefined;
  /** `undefined`: the objects can always store something. */
  readonly storage: StorageStatus | undefined;
  /** `undefined`: this server has no registry of projects. */
  readonly projects: ProjectPorts | undefined;
  /** `undefined`: this server has no subscriptions. */
  readonly control: ControlObjects | undefined;
  /** `undefined`: this server has no estuaries. */
  readonly estuaries: Objects<EstuaryApi> | undefined;
  /** Who follows a source; together with `estuaries`. */
  readonly followers: Objects<SubscriptionApi> | undefined;
  /** By their names: what each module has of its own. */
  readonly modules: ReadonlyMap<string, ModulePorts>;
}

export interface ModulePorts {
  readonly config: unknown;
  readonly objects: Readonly<Record<string, Objects<object>>>;
}

export interface ProjectPorts extends ProjectFinder {
  readonly projects: Projects;
  /** Decides first where there are no tokens at all (`AUTH_MODE=none`). */
  readonly authorizeAll: ((request: HttpRequest) => Result<object>) | undefined;
}

/** The objects of the protocol's subscriptions. */
export interface ControlObjects {
  readonly consumers: Objects<ConsumerApi>;
  readonly projects: Objects<ProjectApi>;
}
