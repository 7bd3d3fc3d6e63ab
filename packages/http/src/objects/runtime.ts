/** What a host supplies to every object: storage, clock and alarm of the object itself, and access to the other objects. */

import type { Config } from "@durable-streams-cloudflare/core/config";
import type {
  EstuaryApi,
  LinkKeysApi,
  LinkOwnerApi,
  ShardApi,
  ShardRef,
  SubscriptionApi,
} from "@durable-streams-cloudflare/core/contracts/fan-out";
import type { ProjectApi } from "@durable-streams-cloudflare/core/contracts/project";
import type { StreamApi } from "@durable-streams-cloudflare/core/contracts/stream";
import type { ConsumerApi } from "@durable-streams-cloudflare/core/contracts/wakes";
import type { Database } from "@durable-streams-cloudflare/core/kit/database";
import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";

import type { Objects, RegistryNamespace } from "../ports.ts";

/** What one object is given. */
export interface ObjectRuntime {
  /** The name by which the object was got. */
  readonly name: string;
  readonly database: Database;
  /** Resolves when everything written so far is durable. */
  sync(): Promise<void>;
  /** Does something outside of all objects, once everything written before it is durable. */
  leave<T>(work: () => Promise<T>): Promise<T>;
  /** Deletes all that is stored, alarm included. */
  purge(): Promise<void>;
  /** Asks for the object's `alarm` at an instant, in ms; replaces an earlier wish. */
  setAlarm(atMs: number): void;
  clearAlarm(): void;
  /** What the object stores, in bytes, as far as there is a limit of that. */
  databaseBytes(): number;
}

/** The objects of a server, as objects call each other. A stub that failed is of no more use: each call gets a new one. */
export interface ObjectPeers {
  readonly config: Config;
  /** Where cold segments are kept. Without it everything stays in the objects. */
  readonly segments: SegmentStore | undefined;
  readonly streams: Objects<StreamApi>;
  /** Without them there are no projects, and no `__ds` subscriptions. */
  readonly projects: Objects<ProjectApi & LinkKeysApi> | undefined;
  /** The copy of the projects' records that the edge reads; there where projects are. */
  readonly registry: RegistryNamespace | undefined;
  /** Without them nobody follows any stream. */
  readonly followers: Objects<SubscriptionApi & ShardApi> | undefined;
  readonly sessions: Objects<EstuaryApi & LinkOwnerApi> | undefined;
  /** The subscriptions of the protocol. Without them no stream wakes any. */
  readonly subscriptions: Objects<ConsumerApi> | undefined;
  /** Takes the shards of large delivery passes; without it a source's object delivers to all its followers itself. */
  readonly shards: { send(refs: readonly ShardRef[]): Promise<void> } | undefined;
}
