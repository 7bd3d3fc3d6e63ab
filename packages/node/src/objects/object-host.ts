/** All objects of one server: creates them on the first call, connects them to each other, and unloads the idle ones. */

import type { Config } from "@durable-streams-cloudflare/core/config";
import type {
  EstuaryApi,
  LinkKeysApi,
  LinkOwnerApi,
  ShardApi,
  FollowerSetApi,
} from "@durable-streams-cloudflare/core/contracts/fan-out";
import type { ProjectApi } from "@durable-streams-cloudflare/core/contracts/project";
import type { ReaderAdmission } from "@durable-streams-cloudflare/core/contracts/reader-slots";
import type { AttachResult, StreamApi } from "@durable-streams-cloudflare/core/contracts/stream";
import type { WakeSubscriptionApi } from "@durable-streams-cloudflare/core/contracts/wakes";
import { SCHEMAS } from "@durable-streams-cloudflare/core/data-version";
import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import type { Schema } from "@durable-streams-cloudflare/core/kit/sql/schema";
import type { Kind, ModuleKind, ServerKind } from "@durable-streams-cloudflare/core/kit/sql/table";
import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";
import { LiveReaders } from "@durable-streams-cloudflare/core/stream/read/live-readers";
import type { Stream } from "@durable-streams-cloudflare/core/stream/stream";
import type { ModuleObjects } from "@durable-streams-cloudflare/http/modules/socket";
import { createFollowers, followersApi } from "@durable-streams-cloudflare/http/objects/followers-object";
import { createProject, projectApi } from "@durable-streams-cloudflare/http/objects/project-object";
import type { ObjectPeers, ObjectRuntime } from "@durable-streams-cloudflare/http/objects/runtime";
import { createSession, sessionApi } from "@durable-streams-cloudflare/http/objects/session-object";
import { createStream, streamApi } from "@durable-streams-cloudflare/http/objects/stream-object";
import { stubOf } from "@durable-streams-cloudflare/http/objects/stub";
import { createSubscription, subscriptionApi } from "@durable-streams-cloudflare/http/objects/subscription-object";
import type { Fetch } from "@durable-streams-cloudflare/http/outbound/bounded-fetch";
import type { Attachment, Objects, RegistryNamespace } from "@durable-streams-cloudflare/http/ports";
import type { ModulePorts } from "@durable-streams-cloudflare/http/routing/edge-ports";
import type { OffsetRef, Result } from "@durable-streams-cloudflare/protocol";

import type { DueObject } from "../storage/alarms.ts";
import type { MemoryLimit } from "../storage/modes/memory-limit.ts";
import { ObjectStorage } from "../storage/object-storage.ts";
import type { Storage } from "../storage/storage.ts";
import { tracedFetch, tracedSegments } from "../telemetry/traced-ports.ts";
import { TracedStorage } from "../telemetry/traced-storage.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import { ForwardClock } from "./forward-clock.ts";
import { Instance, type Behaviour } from "./instance.ts";
import { LoadedInstances, type LoadedLimits } from "./loaded-instances.ts";
import { ServedModules } from "./module-objects.ts";
import { ReaderLists } from "./reader-lists.ts";
import { Reader } from "./reader.ts";
import { openSocket } from "./sockets/open-socket.ts";
import { SocketLists } from "./sockets/socket-lists.ts";

/** What all objects of a server share. */
export interface ObjectHostPorts {
  readonly storage: Pick<Storage, "storeOf" | "segments" | "memory" | "lastWrittenMs">;
  readonly config: Config;
  readonly registry: RegistryNamespace;
  /** Sends requests to servers of others. */
  readonly send: Fetch;
  /** By default there are none. */
  readonly modules?: ServedModules;
  /** Records what requests wait for. */
  readonly tracing?: Tracing | undefined;
}

interface StreamBehaviour extends Behaviour {
  readonly stream: Stream;
}

/** The objects of one server, by kind and name. */
export class ObjectHost {
  readonly #ports: ObjectHostPorts;
  readonly #instances: LoadedInstances;
  readonly #readers = new ReaderLists();
  readonly #sockets = new SocketLists();
  readonly #clock: ForwardClock;
  readonly #modules: ServedModules;
  readonly #schemas: ReadonlyMap<Kind, Schema>;
  /** The objects as the edge calls them: each call passes the output gate of its object. */
  readonly peers: ObjectPeers;
  /** What the handlers of modules use, by the module's name. Their objects are called in the same way. */
  readonly modules: ReadonlyMap<string, ModulePorts>;

  /** @param limits how many objects may be in memory. */
  constructor(ports: ObjectHostPorts, limits?: LoadedLimits) {
    this.#ports = ports;
    this.#instances = new LoadedInstances(limits);
    // In a later second than all incarnations that the last server has minted.
    this.#clock = new ForwardClock(ports.storage.lastWrittenMs + 1_000);
    this.#modules = ports.modules ?? new ServedModules();
    this.#schemas = new Map([...SCHEMAS, ...this.#modules.schemas].map((schema) => [schema.kind, schema]));
    this.peers = this.#peersOf(undefined);
    this.modules = this.#modules.ports((kind) => this.#moduleObjects(kind, undefined));
  }

  /** Fires an object's alarm. Rejects if the object's `alarm` failed, so that the alarm fires again. */
  async fire({ kind, name }: DueObject): Promise<void> {
    const instance = this.#load(kind as Kind, name);
    await instance.enter(() => instance.behaviour.alarm());
  }

  /** The number of objects in memory, by kind. */
  loaded(): ReadonlyMap<Kind, number> {
    const counts = new Map<Kind, number>([...this.#schemas.keys()].map((kind) => [kind, 0]));
    for (const key of this.#instances.keys()) {
      const kind = key.slice(0, key.indexOf(" ")) as Kind;
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
    return counts;
  }

  /** The number of open sockets. */
  get openSockets(): number {
    return this.#sockets.count;
  }

  /** Closes the sockets of all objects, and opens no more. @param drainMs how long clients have to answer. */
  closeSockets(drainMs: number): Promise<void> {
    return this.#sockets.close(drainMs);
  }

  isLoaded(kind: Kind, name: string): boolean {
    return this.#instances.get(`${kind} ${name}`) !== undefined;
  }

  /** Attaches a live reader to a stream. */
  async attach(name: string, from: OffsetRef, admission: ReaderAdmission): Promise<Attachment> {
    const instance = this.#load("stream", name) as Instance<StreamBehaviour>;
    const { stream } = instance.behaviour;
    const { budget, isLimited } = admission;
    let channel: Reader | undefined;
    const attach = (): Result<AttachResult> => {
      const attached = stream.attach(from, admission);
      // At once: did anything happen before the reader is known, it would miss a commit.
      if (attached.ok && attached.status === "live") {
        channel = this.#newReader(name, instance, attached.position, budget);
      }
      return attached;
    };
    try {
      const attached = await instance.enter(() => (isLimited ? stream.readerSlots[budget].letIn(attach) : attach()));
      return attached.ok ? { ok: true, result: attached, channel } : attached;
    } catch (error) {
      channel?.close();
      throw error;
    }
  }

  #newReader(name: string, gate: Instance, position: number, budget: ReaderAdmission["budget"]): Reader {
    const reader = new Reader(position, gate, (left) => {
      this.#readers.delete(name, left);
      // Not at once: an instance that is being made turns readers away before it can be called.
      queueMicrotask(() => void this.#readerLeft(name).catch(() => undefined));
    });
    this.#readers.add(name, reader, budget);
    return reader;
  }

  /** What a stream loses when its reader leaves is at most that its deadline is a little earlier. */
  async #readerLeft(name: string): Promise<void> {
    const instance = this.#load("stream", name);
    await instance.enter(() => instance.behaviour.readerLeft?.());
  }

  #load(kind: Kind, name: string): Instance {
    const key = `${kind} ${name}`;
    if (this.#instances.isLost(key)) this.#sockets.restart(key);
    return (
      this.#instances.get(key) ??
      this.#instances.load(key, () => {
        const own = [this.#ports.storage.storeOf(kind, name), this.#schemaOf(kind), name] as const;
        const { tracing } = this.#ports;
        const storage = tracing === undefined ? new ObjectStorage(...own) : new TracedStorage(tracing, ...own);
        return new Instance(storage, (own) => this.#behaviourOf(kind, name, own));
      })
    );
  }

  #schemaOf(kind: Kind): Schema {
    const schema = this.#schemas.get(kind);
    if (schema === undefined) throw new Error(`There are no objects of the kind ${kind}.`);
    return schema;
  }

  #behaviourOf(kind: Kind, name: string, instance: Instance): Behaviour {
    const runtime = runtimeOf(name, instance, { memory: this.#ports.storage.memory, clock: this.#clock });
    const peers = this.#peersOf(instance);
    if (isServerKind(kind)) return this.#serverBehaviourOf(kind, name, instance, { runtime, peers });
    const sockets = this.#sockets.of(`${kind} ${name}`, instance);
    return this.#modules.create(kind, { runtime, peers, sockets }, (other) => this.#moduleObjects(other, instance));
  }

  #serverBehaviourOf(
    kind: ServerKind,
    name: string,
    instance: Instance,
    { runtime, peers }: { readonly runtime: ObjectRuntime; readonly peers: ObjectPeers },
  ): Behaviour {
    switch (kind) {
      case "stream": {
        const stream = createStream(runtime, new LiveReaders(this.#readers.of(name, instance)), peers);
        const behaviour: StreamBehaviour = {
          api: streamApi(stream),
          stream,
          alarm: () => stream.alarm(),
          readerLeft: () => stream.readerLeft(),
        };
        return behaviour;
      }
      case "source": {
        const followers = createFollowers(runtime, peers);
        return { api: followersApi(followers), alarm: () => followers.alarm() };
      }
      case "session": {
        const session = createSession(runtime, peers);
        return { api: sessionApi(session), alarm: () => session.alarm() };
      }
      case "wakes": {
        const subscription = createSubscription(runtime, peers);
        return { api: subscriptionApi(subscription), alarm: () => subscription.alarm() };
      }
      case "project": {
        const owner = createProject(runtime, peers);
        return { api: projectApi(owner, runtime, peers), alarm: () => owner.alarm() };
      }
    }
  }

  /** The objects as one of them calls them, or, without one, the edge. */
  #peersOf(from: Instance | undefined): ObjectPeers {
    const { config, registry, storage, tracing } = this.#ports;
    const send = tracing === undefined ? this.#ports.send : tracedFetch(this.#ports.send, tracing);
    const segments = tracing === undefined ? storage.segments : tracedSegments(storage.segments, tracing);
    return {
      config,
      send,
      segments: from === undefined ? segments : gatedSegments(segments, from),
      registry: from === undefined ? registry : gatedRegistry(registry, from),
      streams: this.#objects<StreamApi>("stream", from),
      projects: this.#objects<ProjectApi & LinkKeysApi>("project", from),
      followers: this.#objects<FollowerSetApi & ShardApi>("source", from),
      sessions: this.#objects<EstuaryApi & LinkOwnerApi>("session", from),
      subscriptions: this.#objects<WakeSubscriptionApi>("wakes", from),
      shards: undefined,
    };
  }

  #moduleObjects(kind: ModuleKind, from: Instance | undefined): ModuleObjects {
    const { logLevel } = this.#ports.config;
    const report = (message: string, error: unknown): void => logFault(logLevel, message, error);
    return {
      ...this.#objects<object>(kind, from),
      connect: (name, opening) =>
        openSocket(
          { lists: this.#sockets, object: `${kind} ${name}`, load: () => this.#load(kind, name), report },
          opening,
        ),
    };
  }

  #objects<Api extends object>(kind: Kind, from: Instance | undefined): Objects<Api> {
    const { tracing } = this.#ports;
    const call = (name: string, method: string, values: readonly unknown[]): Promise<unknown> => {
      const work = async (): Promise<unknown> => this.#load(kind, name).call(method, values);
      if (from !== undefined) return from.leave(work);
      return tracing === undefined ? work() : tracing.child(`${kind}.${method}`, { "ds.object": name }, work);
    };
    return { getByName: (name) => stubOf<Api>((method, values) => call(name, method, values)) };
  }
}

const SERVER_KINDS: ReadonlySet<Kind> = new Set(SCHEMAS.map(({ kind }) => kind));

function isServerKind(kind: Kind): kind is ServerKind {
  return SERVER_KINDS.has(kind);
}

function runtimeOf(
  name: string,
  instance: Instance,
  { memory, clock }: { readonly memory: MemoryLimit | undefined; readonly clock: ForwardClock },
): ObjectRuntime {
  const { storage } = instance;
  return {
    name,
    database: storage,
    sync: () => storage.sync(),
    leave: (work) => instance.leave(work),
    purge: async () => storage.purge(),
    setAlarm: (atMs) => storage.setAlarm(atMs),
    clearAlarm: () => storage.clearAlarm(),
    forwardNow: () => clock.now(),
    // The disk is the limit, for all objects together.
    databaseBytes: () => 0,
    sharedStorage: memory,
  };
}

/** A segment that was written, or deleted, for rows that were lost would stand for other bytes, or be missed. */
function gatedSegments(segments: SegmentStore, from: Instance): SegmentStore {
  return {
    put: (...put) => from.leave(() => segments.put(...put)),
    get: (...range) => segments.get(...range),
    ...(segments.open === undefined ? {} : { open: segments.open }),
    list: (prefix) => segments.list(prefix),
    delete: (keys) => from.leave(() => segments.delete(keys)),
  };
}

function gatedRegistry(registry: RegistryNamespace, from: Instance): RegistryNamespace {
  return {
    get: (key) => registry.get(key),
    put: (key, value) => from.leave(() => registry.put(key, value)),
    delete: (key) => from.leave(() => registry.delete(key)),
    list: (options) => registry.list(options),
  };
}
