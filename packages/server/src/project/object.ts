/** The Durable Object of one project: a thin shell around `ProjectOwner`. */

import { REGISTRY_STREAM, type Result } from "@durable-streams-cloudflare/protocol";
import { DurableObject } from "cloudflare:workers";
import { base64url } from "jose";

import { parseConfig, type Config } from "../config.ts";
import type { DeliveryGrant, Interest, MatchedStreams, Registered, SigningKey } from "../rpc/consumers.ts";
import type { PlacesRequest } from "../rpc/places.ts";
import { objectDatabase, type Database } from "../storage/database.ts";
import type { Counters } from "../storage/directory-rows.ts";
import type { StreamReport } from "../storage/notice-rows.ts";
import type {
  CreateProjectCommand,
  ListCommand,
  NewSecret,
  ProjectApi,
  StreamPage,
  SubscriptionPage,
} from "./commands.ts";
import {
  forgetConsumer,
  forgetStreams,
  listSubscriptions,
  matchStreams,
  registerConsumer,
  type ConsumerStub,
} from "./consumers.ts";
import { DeliveryBudget } from "./delivery-budget.ts";
import { ProjectOwner } from "./owner.ts";
import { RECORD_KEY_PREFIX, type ProjectSecret, type ProjectSettings, type ProjectView } from "./record.ts";
import type { RegistryStream } from "./registry-stream.ts";
import { publicKeys, rotateSigningKey, signingKey, type PublicKey } from "./signing-keys.ts";
import { SINGLE_PROJECT, staticSecrets } from "./static-project.ts";
import { wakeKey } from "./wake-keys.ts";

export interface ProjectEnv {
  readonly REGISTRY: KVNamespace;
  /** The objects of streams, to delete those of a removed project, and to write `__registry__`. */
  readonly STREAMS: { getByName(name: string): RegistryStream & { remove(): Promise<Result<object>> } };
  /** The subscriptions of the protocol. Without them there are none. */
  readonly CONSUMERS?: { getByName(name: string): ConsumerStub };
}

export class ProjectDO extends DurableObject<ProjectEnv> implements ProjectApi {
  readonly #owner: ProjectOwner;
  readonly #database: Database;
  readonly #config: Config;
  readonly #deliveries: DeliveryBudget;

  constructor(context: DurableObjectState, env: ProjectEnv) {
    super(context, env);
    this.#config = parseConfig(env);
    const { webhooksPerMinute: perMinute, webhooksPerHostPerMinute: perHostPerMinute } = this.#config;
    this.#deliveries = new DeliveryBudget({ perMinute, perHostPerMinute });
    const { storage, id } = context;
    if (id.name === undefined) throw new Error("A project's object must be got by its name.");
    const host = {
      now: () => Date.now(),
      newKid: () => randomText(9),
      newSecret: () => randomText(32),
      publish: (name: string, record: string | null) => {
        const key = RECORD_KEY_PREFIX + name;
        return record === null ? env.REGISTRY.delete(key) : env.REGISTRY.put(key, record);
      },
      removeStream: async (project: string, stream: string) => {
        await env.STREAMS.getByName(`${project}/${stream}`).remove();
      },
      registryStream: (project: string) => env.STREAMS.getByName(`${project}/${REGISTRY_STREAM}`),
      consumer: (project: string, id: string) => {
        if (env.CONSUMERS === undefined) throw new Error("The binding CONSUMERS is missing.");
        return env.CONSUMERS.getByName(`${project}/${id}`);
      },
      setAlarm: (atMs: number) => void storage.setAlarm(atMs),
      clearAlarm: () => void storage.deleteAlarm(),
      sync: () => storage.sync(),
    };
    this.#database = objectDatabase(storage);
    this.#owner = new ProjectOwner(this.#database, host, id.name);
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

  removeSecret(kid: string): Promise<Result<{ project: ProjectView }>> {
    return this.#owner.removeSecret(kid);
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

  async forgetStreams(id: string, streams: readonly string[]): Promise<void> {
    forgetStreams(this.#database, id, streams);
  }

  async forgetConsumer(id: string): Promise<void> {
    forgetConsumer(this.#database, id);
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

  allowReaders(request: PlacesRequest): Promise<number | null> {
    return this.#owner.allowReaders(request);
  }

  override alarm(): Promise<void> {
    return this.#owner.alarm();
  }
}

function randomText(bytes: number): string {
  return base64url.encode(crypto.getRandomValues(new Uint8Array(bytes)));
}
