/** The Durable Object of one project: a thin shell around `ProjectOwner`. */

import type { LinkKeyNote, LinkKeysApi } from "@durable-streams-cloudflare/core/contracts/fan-out";
import type {
  Counters,
  CreateProjectCommand,
  ListCommand,
  NewSecret,
  ProjectApi,
  PublicKey,
  StreamPage,
  StreamReport,
  SubscriptionPage,
} from "@durable-streams-cloudflare/core/contracts/project";
import type { ProjectSettings, ProjectView } from "@durable-streams-cloudflare/core/contracts/project-record";
import type { ReaderSlotsRequest } from "@durable-streams-cloudflare/core/contracts/reader-slots";
import type {
  DeliveryGrant,
  Interest,
  MatchedStreams,
  Registered,
  SigningKey,
} from "@durable-streams-cloudflare/core/contracts/wakes";
import type { ProjectOwner } from "@durable-streams-cloudflare/core/project/owner";
import { PROJECT_SCHEMA } from "@durable-streams-cloudflare/core/project/tables/schema";
import { createProject, projectApi } from "@durable-streams-cloudflare/http/objects/project-object";
import type { Result } from "@durable-streams-cloudflare/protocol";
import { DurableObject } from "cloudflare:workers";

import { peersOf, runtimeOf, type ObjectEnv } from "./runtime.ts";

export class ProjectDO extends DurableObject<ObjectEnv> implements ProjectApi, LinkKeysApi {
  readonly #owner: ProjectOwner;
  readonly #api: ProjectApi & LinkKeysApi;

  constructor(context: DurableObjectState, env: ObjectEnv) {
    super(context, env);
    const [runtime, peers] = [runtimeOf(context, PROJECT_SCHEMA), peersOf(env)];
    this.#owner = createProject(runtime, peers);
    this.#api = projectApi(this.#owner, runtime, peers);
  }

  create(command: CreateProjectCommand): Promise<Result<{ project: ProjectView; secret: NewSecret }>> {
    return this.#api.create(command);
  }

  update(settings: Partial<ProjectSettings>): Promise<Result<{ project: ProjectView }>> {
    return this.#api.update(settings);
  }

  addSecret(secret: string | undefined): Promise<Result<{ secret: NewSecret }>> {
    return this.#api.addSecret(secret);
  }

  removeSecret(kid: string, endLinks = false): Promise<Result<{ project: ProjectView }>> {
    return this.#api.removeSecret(kid, endLinks);
  }

  revokeReadUrls(): Promise<Result<{ project: ProjectView }>> {
    return this.#api.revokeReadUrls();
  }

  remove(): Promise<Result<object>> {
    return this.#api.remove();
  }

  list(command: ListCommand): Promise<Result<StreamPage>> {
    return this.#api.list(command);
  }

  counters(): Promise<Counters> {
    return this.#api.counters();
  }

  registerConsumer(id: string, interest: Interest): Promise<Result<Registered>> {
    return this.#api.registerConsumer(id, interest);
  }

  grantDeliveries(host: string, wanted: number): Promise<DeliveryGrant> {
    return this.#api.grantDeliveries(host, wanted);
  }

  forgetStreams(id: string, streams: readonly string[], createdAtMs?: number): Promise<void> {
    return this.#api.forgetStreams(id, streams, createdAtMs);
  }

  forgetConsumer(id: string, createdAtMs?: number): Promise<void> {
    return this.#api.forgetConsumer(id, createdAtMs);
  }

  matchStreams(pattern: string, after: string): Promise<MatchedStreams> {
    return this.#api.matchStreams(pattern, after);
  }

  listSubscriptions(after: string, limit: number): Promise<SubscriptionPage> {
    return this.#api.listSubscriptions(after, limit);
  }

  signingKey(): Promise<SigningKey> {
    return this.#api.signingKey();
  }

  publicKeys(): Promise<readonly PublicKey[]> {
    return this.#api.publicKeys();
  }

  rotateSigningKey(): Promise<Result<{ kid: string }>> {
    return this.#api.rotateSigningKey();
  }

  note(report: StreamReport): Promise<number | null> {
    return this.#api.note(report);
  }

  allowReaders(request: ReaderSlotsRequest): Promise<number | null> {
    return this.#api.allowReaders(request);
  }

  noteLinkKey(note: LinkKeyNote): Promise<boolean> {
    return this.#api.noteLinkKey(note);
  }

  forgetLinkKeys(source: string, token: number): Promise<void> {
    return this.#api.forgetLinkKeys(source, token);
  }

  override alarm(): Promise<void> {
    return this.#owner.alarm();
  }
}
