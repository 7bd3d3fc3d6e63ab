import type { StreamReport } from "@durable-streams-cloudflare/core/contracts/project";
import type {
  SubscriptionDirectoryApi,
  SubscriptionNotifyApi,
  DeliveryGrant,
  Interest,
  SigningKey,
} from "@durable-streams-cloudflare/core/contracts/wakes";
import type { Database } from "@durable-streams-cloudflare/core/kit/database";
import type { Schema } from "@durable-streams-cloudflare/core/kit/sql/schema";
import { ProjectOwner } from "@durable-streams-cloudflare/core/project/owner";
import { PROJECT_SCHEMA } from "@durable-streams-cloudflare/core/project/tables/schema";
import {
  forgetConsumer,
  forgetStreams,
  matchStreams,
  registerConsumer,
} from "@durable-streams-cloudflare/core/project/wake-interest";
import type { DirectoryApi } from "@durable-streams-cloudflare/core/stream/host";
import { Stream } from "@durable-streams-cloudflare/core/stream/stream";
import { STREAM_SCHEMA } from "@durable-streams-cloudflare/core/stream/tables/schema";
import { LIMITS } from "@durable-streams-cloudflare/core/test/stream-fixture";
import type { Notification } from "@durable-streams-cloudflare/core/test/wake-fixture";
import type { WakeSubscriptionHost, WebhookAnswer } from "@durable-streams-cloudflare/core/wakes/host";
import { WAKE_SCHEMA } from "@durable-streams-cloudflare/core/wakes/tables/subscription-rows";
import { WakeSubscription } from "@durable-streams-cloudflare/core/wakes/wake-subscription";

import { Lost, World, type Doer, type OwnPorts } from "./world.ts";

/** One object, or the service that webhooks are sent to: what it is, and of what name. */
type Key = `${"stream" | "project" | "consumer" | "receiver"}:${string}`;

type Core = Stream | Project | WakeSubscription | Receiver;

const RECEIVER: Key = "receiver:p/hook";
const { privateKey } = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
const KEY: SigningKey = { kid: "ds_test", jwk: JSON.stringify(await crypto.subtle.exportKey("jwk", privateKey)) };

/** A project's object, as far as streams and subscriptions use it. */
class Project {
  readonly #owner: ProjectOwner;
  readonly #database: Database;

  constructor(database: Database, owner: ProjectOwner) {
    this.#database = database;
    this.#owner = owner;
  }

  note(report: StreamReport): Promise<number | null> {
    return this.#owner.note(report);
  }

  async registerConsumer(id: string, interest: Interest) {
    return registerConsumer(this.#database, id, interest);
  }

  async forgetStreams(id: string, streams: readonly string[], createdAtMs?: number): Promise<void> {
    forgetStreams(this.#database, id, streams, createdAtMs);
  }

  async forgetConsumer(id: string, createdAtMs?: number): Promise<void> {
    forgetConsumer(this.#database, id, createdAtMs);
  }

  async matchStreams(pattern: string, after: string) {
    return matchStreams(this.#database, pattern, after);
  }

  alarm(): Promise<void> {
    return this.#owner.alarm();
  }
}

/** Where webhooks arrive. */
interface Receiver {
  take(body: Notification): WebhookAnswer;
  alarm(): Promise<void>;
}

/** A project with its streams and its subscriptions, in one process. */
export class SubscriptionWorld extends World<Core, Key> {
  /** What the receiver makes of a webhook. */
  onWebhook: (body: Notification) => WebhookAnswer = () => ({ status: 500, text: "" });
  /** What the project gives those who ask for permits. */
  grant: () => DeliveryGrant = () => UNLIMITED;

  constructor() {
    super(undefined);
  }

  askStream<Answer>(name: string, invoke: (stream: Stream) => Promise<Answer> | Answer): Promise<Answer> {
    return this.ask(`stream:p/${name}`, invoke as (core: Core) => Promise<Answer> | Answer);
  }

  askSubscription<Answer>(invoke: (consumer: WakeSubscription) => Promise<Answer>): Promise<Answer> {
    return this.ask("consumer:p/sub", invoke as (core: Core) => Promise<Answer>);
  }

  /** The JSON messages of a stream. */
  async messages(name: string): Promise<Record<string, unknown>[]> {
    const result = await this.askStream(name, (stream) =>
      stream.read({ from: { kind: "start" }, ifNoneMatch: null, paging: "bytes" }),
    );
    if (!result.ok) return [];
    const text = new TextDecoder().decode(result.page);
    return JSON.parse(`[${text.slice(0, -1)}]`) as Record<string, unknown>[];
  }

  protected override schemaOf(key: Key): Schema {
    if (key.startsWith("consumer:")) return WAKE_SCHEMA;
    return key.startsWith("project:") ? PROJECT_SCHEMA : STREAM_SCHEMA;
  }

  protected override boot(key: Key, own: OwnPorts, doer: Doer): Core {
    const wire = <Api extends object>(to: Key): Api => this.#wire<Api>(doer, to);
    if (key === RECEIVER) return { take: (body) => this.onWebhook(body), alarm: async () => undefined };
    if (key.startsWith("consumer:")) return new WakeSubscription(this.#subscriptionHost(own, doer));
    if (key.startsWith("project:")) return this.#project(own, wire);
    const notifySubscription = (consumer: string, notification: Parameters<SubscriptionNotifyApi["notify"]>[0]) =>
      wire<SubscriptionNotifyApi>(`consumer:${consumer}`).notify(notification);
    const directory: DirectoryApi = { note: (report) => wire<Project>("project:p").note(report) };
    return new Stream({ ...own, peer: (to) => wire(`stream:${to}`), notifySubscription, directory }, LIMITS_OF_STREAMS);
  }

  #subscriptionHost(own: OwnPorts, doer: Doer): WakeSubscriptionHost {
    const wire = <Api extends object>(to: Key): Api => this.#wire<Api>(doer, to);
    let secrets = 0;
    return {
      ...own,
      // Cryptography goes on after a crash, here but not there: what follows it must not reach the disk.
      database: mortal(own.database, doer),
      stream: (to) => wire(`stream:${to}`),
      directory: {
        ...directoryOf(wire("project:p")),
        signingKey: async () => KEY,
        grantDeliveries: async () => this.grant(),
      },
      send: ({ body }) => {
        const notification = JSON.parse(new TextDecoder().decode(body)) as Notification;
        return wire<{ take(body: Notification): Promise<WebhookAnswer> }>(RECEIVER).take(notification);
      },
      publicControlUrl: null,
      allowsLoopback: false,
      newSecret: () => `${own.newId()}-${(secrets += 1)}`.padEnd(43, "x"),
    };
  }

  #project(own: OwnPorts, wire: <Api extends object>(to: Key) => Api): Project {
    const owner = new ProjectOwner(
      own.database,
      {
        ...own,
        newKid: () => own.newId(),
        newSecret: () => own.newId(),
        publish: async () => undefined,
        removeStream: async () => undefined,
        registryStream: () => ({
          create: async () => ({ ok: true }),
          appendAll: async (commands) => commands.map(() => ({ ok: true })),
        }),
        subscription: (project, id) => wire(`consumer:${project}/${id}`),
        followers: () => {
          throw new Error("There are no followers here.");
        },
      },
      own.name,
    );
    return new Project(own.database, owner);
  }

  /** Another object, as one object sees it. */
  #wire<Api extends object>(from: Doer, to: Key): Api {
    return new Proxy({} as Api, {
      get:
        (_, method) =>
        (...args: unknown[]) =>
          this.call(from, to, String(method), methodOf(String(method), structuredClone(args))),
    });
  }
}

const UNLIMITED = { granted: 8, waitMs: 0, mustProve: false };
const LIMITS_OF_STREAMS = { ...LIMITS, sseSessionSeconds: 60, longPollTimeoutMs: 3_000 };

function methodOf(method: string, args: unknown[]): (core: Core) => unknown {
  return (core) => {
    const owner = core instanceof Stream && method === "want" ? core.wakeSubscriptions : core;
    return (owner as unknown as Record<string, (...args: unknown[]) => unknown>)[method]?.(...args);
  };
}

function directoryOf(project: Project): Omit<SubscriptionDirectoryApi, "signingKey" | "grantDeliveries"> {
  return {
    registerConsumer: (id, interest) => project.registerConsumer(id, interest),
    forgetStreams: (...named) => project.forgetStreams(...named),
    forgetConsumer: (...named) => project.forgetConsumer(...named),
    matchStreams: (pattern, after) => project.matchStreams(pattern, after),
  };
}

/** A disk that an object can write to as long as it lives. */
function mortal(database: Database, doer: Doer): Database {
  const alive = (): Database => {
    if (doer.isOver) throw new Lost("The object has crashed.");
    return database;
  };
  return {
    all: (statement, ...params) => alive().all(statement, ...params),
    run: (statement, ...params) => alive().run(statement, ...params),
    transaction: (work) => alive().transaction(work),
    get tables() {
      return alive().tables;
    },
  };
}
