/** What a project's object is given by the runtime: clock, randomness, alarm, KV, and other objects. */

import type { Config } from "@durable-streams-cloudflare/core/config";
import { RECORD_KEY_PREFIX } from "@durable-streams-cloudflare/core/contracts/project-record";
import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import type { ProjectHost } from "@durable-streams-cloudflare/core/project/host";
import type { FollowersStub } from "@durable-streams-cloudflare/core/project/link-keys";
import type { RegistryStream } from "@durable-streams-cloudflare/core/project/registry-stream";
import type { ConsumerStub } from "@durable-streams-cloudflare/core/project/wake-interest";
import { REGISTRY_STREAM, type Result } from "@durable-streams-cloudflare/protocol";
import { base64url } from "jose";

export interface ProjectEnv {
  readonly REGISTRY: KVNamespace;
  /** The objects of streams, to delete those of a removed project, and to write `__registry__`. */
  readonly STREAMS: { getByName(name: string): RegistryStream & { remove(): Promise<Result<object>> } };
  /** The subscriptions of the protocol. Without them there are none. */
  readonly CONSUMERS?: { getByName(name: string): ConsumerStub };
  /** The followers of streams. Without them nobody follows any. */
  readonly SUBSCRIPTIONS?: { getByName(source: string): FollowersStub };
}

export function projectHost(storage: DurableObjectStorage, env: ProjectEnv, logLevel: Config["logLevel"]): ProjectHost {
  return {
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
    followers: (source: string) => {
      if (env.SUBSCRIPTIONS === undefined) throw new Error("The binding SUBSCRIPTIONS is missing.");
      return env.SUBSCRIPTIONS.getByName(source);
    },
    setAlarm: (atMs: number) => void storage.setAlarm(atMs),
    clearAlarm: () => void storage.deleteAlarm(),
    sync: () => storage.sync(),
    report: (message, error) => logFault(logLevel, message, error),
  };
}

function randomText(bytes: number): string {
  return base64url.encode(crypto.getRandomValues(new Uint8Array(bytes)));
}
