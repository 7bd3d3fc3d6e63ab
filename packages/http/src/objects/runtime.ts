/** What a host supplies to every object: storage, clock and alarm of the object itself, and access to the other objects. */

import type { Config } from "@durable-streams-cloudflare/core/config";
import type {
  EstuaryApi,
  LinkKeysApi,
  LinkOwnerApi,
  ShardApi,
  ShardRef,
  FollowerSetApi,
} from "@durable-streams-cloudflare/core/contracts/fan-out";
import type { ProjectApi } from "@durable-streams-cloudflare/core/contracts/project";
import type { StreamApi } from "@durable-streams-cloudflare/core/contracts/stream";
import type { WakeSubscriptionApi } from "@durable-streams-cloudflare/core/contracts/wakes";
import type { Database } from "@durable-streams-cloudflare/core/kit/database";
import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";
import type { SharedStorage } from "@durable-streams-cloudflare/core/stream/host";

import type { Fetch } from "../outbound/bounded-fetch.ts";
import type { Objects, RegistryNamespace } from "../ports.ts";

/** What a host supplies to one object. */
export interface ObjectRuntime {
  /** The name by which the object is addressed. */
  readonly name: string;
  readonly database: Database;
  /** Resolves when everything that the object has written so far is durable. */
  sync(): Promise<void>;
  /** Runs `work` that reaches outside of all objects, such as a webhook, once everything written before it is durable. */
  leave<T>(work: () => Promise<T>): Promise<T>;
  /** Deletes everything that the object stores, including its alarm. */
  purge(): Promise<void>;
  /** Sets the object's one alarm to an instant, in ms since the epoch. Replaces an alarm that is set already. */
  setAlarm(atMs: number): void;
  clearAlarm(): void;
  /** The time by a clock that never goes back, in ms since 1970; by default by the machine's clock. */
  forwardNow?(): number;
  /** The size of the object's database in bytes; 0 if the host does not limit it. */
  databaseBytes(): number;
  /** The storage that all objects of the server share, where that has a limit of its own. */
  readonly sharedStorage?: SharedStorage | undefined;
}

/**
 * The objects of a server, as objects call each other. A stub that has failed cannot be used again, so get a new one for each
 * call.
 */
export interface ObjectPeers {
  readonly config: Config;
  /** Sends requests to servers of others. Without it, the platform's `fetch` does. */
  readonly send?: Fetch | undefined;
  /** The object storage of cold segments. Without it, all bytes stay in the objects. */
  readonly segments: SegmentStore | undefined;
  readonly streams: Objects<StreamApi>;
  /** The objects of projects. Without them, the server has neither projects nor `__ds` subscriptions. */
  readonly projects: Objects<ProjectApi & LinkKeysApi> | undefined;
  /** The copies of project records that edges read; present if and only if `projects` is. */
  readonly registry: RegistryNamespace | undefined;
  /** The follower sets of sources. Without them, streams have no followers. */
  readonly followers: Objects<FollowerSetApi & ShardApi> | undefined;
  readonly sessions: Objects<EstuaryApi & LinkOwnerApi> | undefined;
  /** The protocol's subscriptions. Without them, appends wake nobody. */
  readonly subscriptions: Objects<WakeSubscriptionApi> | undefined;
  /** The queue for the shards of large delivery passes. Without it, a source's object delivers to all its followers itself. */
  readonly shards: { send(refs: readonly ShardRef[]): Promise<void> } | undefined;
}
