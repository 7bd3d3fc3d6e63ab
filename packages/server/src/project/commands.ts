/** What is asked of a project's object, and what it answers: plain data, safe to send over RPC. */

import type { Result } from "@durable-streams-cloudflare/protocol";

import type { ConsumerDirectoryApi } from "../rpc/consumers.ts";
import type { PlacesApi } from "../rpc/places.ts";
import type { Counters } from "../storage/directory-rows.ts";
import type { ConsumerRow } from "../storage/interest-rows.ts";
import type { StreamReport } from "../storage/notice-rows.ts";
import type { ConsumerStub } from "./consumers.ts";
import type { FollowersStub } from "./link-keys.ts";
import type { ProjectSecret, ProjectSettings, ProjectView } from "./record.ts";
import type { RegistryStream } from "./registry-stream.ts";
import type { PublicKey } from "./signing-keys.ts";

export interface CreateProjectCommand {
  readonly name: string;
  readonly settings: Partial<ProjectSettings>;
  /** `undefined`: the object makes one. */
  readonly secret: string | undefined;
}

export interface ListCommand {
  readonly prefix: string;
  /** The last name of the page before; `""` begins. */
  readonly after: string;
  readonly limit: number;
}

export interface ListedStream {
  readonly name: string;
  readonly contentType: string;
  readonly createdAt: string;
}

export interface StreamPage {
  readonly streams: readonly ListedStream[];
  /** Where the next page begins; `null`: this was the last. */
  readonly cursor: string | null;
  readonly counters: Counters;
}

export interface SubscriptionPage {
  readonly subscriptions: readonly ConsumerRow[];
  /** Where the next page begins; `null`: this was the last. */
  readonly cursor: string | null;
}

export type NewSecret = Pick<ProjectSecret, "kid" | "secret">;

/** The RPC interface of `ProjectDO`. */
export interface ProjectApi extends PlacesApi, ConsumerDirectoryApi {
  /** The only answer that has the secret, besides `addSecret`'s. */
  create(command: CreateProjectCommand): Promise<Result<{ project: ProjectView; secret: NewSecret }>>;
  update(settings: Partial<ProjectSettings>): Promise<Result<{ project: ProjectView }>>;
  addSecret(secret: string | undefined): Promise<Result<{ secret: NewSecret }>>;
  /** @param endLinks whether the links that were made with it end, too: soon, and none is made by it any more. */
  removeSecret(kid: string, endLinks?: boolean): Promise<Result<{ project: ProjectView }>>;
  revokeReadUrls(): Promise<Result<{ project: ProjectView }>>;
  /** Makes the project's name unknown at once, and its streams one after the other. */
  remove(): Promise<Result<object>>;
  list(command: ListCommand): Promise<Result<StreamPage>>;
  /** How many streams there are, as far as they have told. */
  counters(): Promise<Counters>;
  listSubscriptions(after: string, limit: number): Promise<SubscriptionPage>;
  /** The keys that verify the project's webhooks; none before the first webhook. */
  publicKeys(): Promise<readonly PublicKey[]>;
  rotateSigningKey(): Promise<Result<{ kid: string }>>;
  /**
   * A stream of the project was made, has ended, or wants to store more.
   * @returns how many bytes it may store; `null`: as many as it likes.
   */
  note(report: StreamReport): Promise<number | null>;
}

/** What the object needs from where it lives. */
export interface ProjectHost {
  now(): number;
  /** A random id of ten characters or so. */
  newKid(): string;
  /** 256 random bits as text. */
  newSecret(): string;
  /** Writes the edge's copy, as JSON, or removes it. */
  publish(name: string, record: string | null): Promise<void>;
  /** The object of the project's `__registry__`; a new stub each time. */
  registryStream(project: string): RegistryStream;
  /** The object of a subscription of the project; a new stub each time. */
  consumer(project: string, id: string): ConsumerStub;
  /** The object of a stream's followers, by its full name; a new stub each time. */
  followers(source: string): FollowersStub;
  /** Deletes a stream. @throws when that could not be done now. */
  removeStream(project: string, stream: string): Promise<void>;
  setAlarm(atMs: number): void;
  clearAlarm(): void;
  sync(): Promise<void>;
}
