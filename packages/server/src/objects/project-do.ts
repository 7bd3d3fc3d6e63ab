/** The Durable Object of one project: a thin shell around `ProjectOwner`. */

import { parseConfig, type Config } from "@durable-streams-cloudflare/core/config";
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
import type {
  ProjectSecret,
  ProjectSettings,
  ProjectView,
} from "@durable-streams-cloudflare/core/contracts/project-record";
import type { ReaderSlotsRequest } from "@durable-streams-cloudflare/core/contracts/reader-slots";
import type {
  DeliveryGrant,
  Interest,
  MatchedStreams,
  Registered,
  SigningKey,
} from "@durable-streams-cloudflare/core/contracts/wakes";
import type { Database } from "@durable-streams-cloudflare/core/kit/database";
import { objectName } from "@durable-streams-cloudflare/core/kit/object-name";
import { DeliveryBudget } from "@durable-streams-cloudflare/core/project/delivery-budget";
import { forgetLinkKeys, noteLinkKey } from "@durable-streams-cloudflare/core/project/link-keys";
import { ProjectOwner } from "@durable-streams-cloudflare/core/project/owner";
import { publicKeys, rotateSigningKey, signingKey } from "@durable-streams-cloudflare/core/project/signing-keys";
import { PROJECT_SCHEMA } from "@durable-streams-cloudflare/core/project/tables/schema";
import {
  forgetConsumer,
  forgetStreams,
  listSubscriptions,
  matchStreams,
  registerConsumer,
} from "@durable-streams-cloudflare/core/project/wake-interest";
import { wakeKey } from "@durable-streams-cloudflare/core/project/wake-keys";
import { SINGLE_PROJECT, staticSecrets } from "@durable-streams-cloudflare/http/auth/static-project";
import type { Result } from "@durable-streams-cloudflare/protocol";
import { DurableObject } from "cloudflare:workers";

import { objectDatabase } from "../bindings/object-database.ts";
import { projectHost, type ProjectEnv } from "./project-host.ts";

export class ProjectDO extends DurableObject<ProjectEnv> implements ProjectApi, LinkKeysApi {
  readonly #owner: ProjectOwner;
  readonly #database: Database;
  readonly #config: Config;
  readonly #deliveries: DeliveryBudget;

  constructor(context: DurableObjectState, env: ProjectEnv) {
    super(context, env);
    this.#config = parseConfig(env);
    const { webhooksPerMinute: perMinute, webhooksPerHostPerMinute: perHostPerMinute } = this.#config;
    this.#deliveries = new DeliveryBudget({ perMinute, perHostPerMinute });
    this.#database = objectDatabase(context.storage, PROJECT_SCHEMA);
    const host = projectHost(context.storage, env, this.#config.logLevel);
    this.#owner = new ProjectOwner(this.#database, host, objectName(context.id));
  }

  create(command: CreateProjectCommand): Promise<Result<{ project: ProjectView; secret: NewSecret }>> {
    return this.#owner.create(command);
  }

  update(settings: Partial<ProjectSettings>): Promise<Result<{ project: ProjectView }>> {
    return this.#owner.update(settings);
  }

  addSecret(secret: string | undefined): Promise<Result<{ secret: NewSecret }>> {
    return this.#owner.addSecret(secret);
  }

  removeSecret(kid: string, endLinks = false): Promise<Result<{ project: ProjectView }>> {
    return this.#owner.removeSecret(kid, endLinks);
  }

  revokeReadUrls(): Promise<Result<{ project: ProjectView }>> {
    return this.#owner.revokeReadUrls();
  }

  remove(): Promise<Result<object>> {
    return this.#owner.remove();
  }

  async list(command: ListCommand): Promise<Result<StreamPage>> {
    return this.#owner.list(command);
  }

  async counters(): Promise<Counters> {
    return this.#owner.counters();
  }

  async registerConsumer(id: string, interest: Interest): Promise<Result<Registered>> {
    const registered = registerConsumer(this.#database, id, interest);
    return registered.ok ? { ...registered, mustProve: this.#mustProve() } : registered;
  }

  async grantDeliveries(host: string, wanted: number): Promise<DeliveryGrant> {
    return { ...this.#deliveries.grant(host, wanted, Date.now()), mustProve: this.#mustProve() };
  }

  #mustProve(): boolean {
    return this.#config.webhookChallenge === "required" || this.#owner.demandsProof();
  }

  async forgetStreams(id: string, streams: readonly string[], createdAtMs?: number): Promise<void> {
    forgetStreams(this.#database, id, streams, createdAtMs);
  }

  async forgetConsumer(id: string, createdAtMs?: number): Promise<void> {
    forgetConsumer(this.#database, id, createdAtMs);
  }

  async matchStreams(pattern: string, after: string): Promise<MatchedStreams> {
    return matchStreams(this.#database, pattern, after);
  }

  async listSubscriptions(after: string, limit: number): Promise<SubscriptionPage> {
    return listSubscriptions(this.#database, after, limit);
  }

  async signingKey(): Promise<SigningKey> {
    const key = await signingKey(this.#database, () => Date.now());
    const tagging = await wakeKey(this.#secrets(), Date.now());
    return tagging === undefined ? key : { ...key, wakeKey: tagging };
  }

  /** With PROJECT_SECRET the one project has no record. */
  #secrets(): readonly ProjectSecret[] {
    return this.ctx.id.name === SINGLE_PROJECT && this.#config.projectSecret !== ""
      ? staticSecrets(this.#config.projectSecret)
      : this.#owner.secrets();
  }

  async publicKeys(): Promise<readonly PublicKey[]> {
    return publicKeys(this.#database, Date.now());
  }

  rotateSigningKey(): Promise<Result<{ kid: string }>> {
    return rotateSigningKey(this.#database, () => Date.now());
  }

  note(report: StreamReport): Promise<number | null> {
    return this.#owner.note(report);
  }

  allowReaders(request: ReaderSlotsRequest): Promise<number | null> {
    return this.#owner.allowReaders(request);
  }

  async noteLinkKey(note: LinkKeyNote): Promise<boolean> {
    return noteLinkKey(this.#database, note);
  }

  async forgetLinkKeys(source: string, token: number): Promise<void> {
    forgetLinkKeys(this.#database, source, token);
  }

  override alarm(): Promise<void> {
    return this.#owner.alarm();
  }
}
