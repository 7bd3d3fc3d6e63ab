/** The requests to a project's object and its answers: plain data that can be sent over RPC. */

import type { Result } from "@durable-streams-cloudflare/protocol";

import type { ProjectSecret, ProjectSettings, ProjectView } from "./project-record.ts";
import type { ReaderSlotsApi } from "./reader-slots.ts";
import type { SubscriptionDirectoryApi, Interest } from "./wakes.ts";

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

export interface Counters {
  /** How many there are. */
  readonly streams: number;
  /** How many have been made, and have ended, since the beginning. */
  readonly created: number;
  readonly ended: number;
  /** The bytes that they store or were granted, as far as they have reported. */
  readonly bytes: number;
}

export interface StreamPage {
  readonly streams: readonly ListedStream[];
  /** Where the next page begins; `null`: this was the last. */
  readonly cursor: string | null;
  readonly counters: Counters;
}

export interface ListedSubscription extends Omit<Interest, "streams"> {
  readonly id: string;
}

export interface SubscriptionPage {
  readonly subscriptions: readonly ListedSubscription[];
  /** Where the next page begins; `null`: this was the last. */
  readonly cursor: string | null;
}

export type NewSecret = Pick<ProjectSecret, "kid" | "secret">;

/** A public key as receivers of webhooks get it. */
export interface PublicKey {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  readonly kid: string;
  readonly use: "sig";
  readonly alg: "EdDSA";
  readonly x: string;
}

/** What became of a stream. The directory takes a notice as often as it comes, and none that is older than it knows. */
export interface StreamNotice {
  /** Its name within the project. */
  readonly stream: string;
  readonly incarnation: number;
  /** `null`: it has ended. */
  readonly contentType: string | null;
  readonly atMs: number;
}

/** A notice, with the bytes that the stream stores and those that it is about to store; 0 by default. */
export interface StreamReport extends StreamNotice {
  readonly stored?: number;
  readonly wanted?: number;
}

/** The RPC interface of `ProjectDO`. */
export interface ProjectApi extends ReaderSlotsApi, SubscriptionDirectoryApi {
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
  /** The number of streams, as far as they have reported. */
  counters(): Promise<Counters>;
  listSubscriptions(after: string, limit: number): Promise<SubscriptionPage>;
  /** The keys that verify the project's webhooks; none before the first webhook. */
  publicKeys(): Promise<readonly PublicKey[]>;
  rotateSigningKey(): Promise<Result<{ kid: string }>>;
  /**
   * A stream of the project was created, has ended, or wants to store more. Idempotent.
   *
   * The one command that refuses by throwing: the stream of an older release would take a returned refusal for its quota grant.
   * @returns how many bytes the stream may store; `null`: as many as it likes.
   * @throws Error when the directory cannot record the report now. The stream keeps its notice and sends it again later.
   */
  note(report: StreamReport): Promise<number | null>;
}
