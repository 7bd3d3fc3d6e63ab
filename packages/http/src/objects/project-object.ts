/** The object of a project: composes the core's project (record, directory, quotas, keys) with what a host supplies. */

import type { LinkKeysApi } from "@durable-streams-cloudflare/core/contracts/fan-out";
import type { ProjectApi } from "@durable-streams-cloudflare/core/contracts/project";
import { RECORD_KEY_PREFIX, type ProjectSecret } from "@durable-streams-cloudflare/core/contracts/project-record";
import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import { wallMs } from "@durable-streams-cloudflare/core/kit/time/clock";
import { DeliveryBudget } from "@durable-streams-cloudflare/core/project/delivery-budget";
import type { ProjectHost } from "@durable-streams-cloudflare/core/project/host";
import { forgetLinkKeys, noteLinkKey } from "@durable-streams-cloudflare/core/project/link-keys";
import { ProjectOwner } from "@durable-streams-cloudflare/core/project/owner";
import { publicKeys, rotateSigningKey, signingKey } from "@durable-streams-cloudflare/core/project/signing-keys";
import {
  forgetConsumer,
  forgetStreams,
  listSubscriptions,
  matchStreams,
  registerConsumer,
} from "@durable-streams-cloudflare/core/project/wake-interest";
import { wakeKey } from "@durable-streams-cloudflare/core/project/wake-keys";
import { REGISTRY_STREAM } from "@durable-streams-cloudflare/protocol";
import { base64url } from "jose";

import { SINGLE_PROJECT, singleProjectSecrets } from "../auth/static-project.ts";
import type { ObjectPeers, ObjectRuntime } from "./runtime.ts";

/** The API of a project's object. */
export type ProjectObjectApi = ProjectApi & LinkKeysApi;

/** Creates the core object of a project. */
export function createProject(runtime: ObjectRuntime, peers: ObjectPeers): ProjectOwner {
  return new ProjectOwner(runtime.database, hostOf(runtime, peers), runtime.name);
}

/** The methods that other objects and the edge may call. */
export function projectApi(
  owner: ProjectOwner,
  { name, database }: ObjectRuntime,
  peers: ObjectPeers,
): ProjectObjectApi {
  const { config } = peers;
  const { webhooksPerMinute: perMinute, webhooksPerHostPerMinute: perHostPerMinute } = config;
  const deliveries = new DeliveryBudget({ perMinute, perHostPerMinute });
  const now = wallMs;
  const mustProve = (): boolean => config.webhookChallenge === "required" || owner.demandsProof();
  // The only project may have no record.
  const secrets = (): readonly ProjectSecret[] =>
    name === SINGLE_PROJECT ? singleProjectSecrets(config, owner.secrets()) : owner.secrets();
  return {
    create: (command) => owner.create(command),
    update: (settings) => owner.update(settings),
    addSecret: (secret) => owner.addSecret(secret),
    removeSecret: (kid, endLinks = false) => owner.removeSecret(kid, endLinks),
    revokeReadUrls: () => owner.revokeReadUrls(),
    remove: () => owner.remove(),
    list: async (command) => owner.list(command),
    counters: async () => owner.counters(),
    note: (report) => owner.note(report),
    allowReaders: (request) => owner.allowReaders(request),
    registerConsumer: async (id, interest) => {
      const registered = registerConsumer(database, id, interest);
      return registered.ok ? { ...registered, mustProve: mustProve() } : registered;
    },
    grantDeliveries: async (host, wanted) => ({ ...deliveries.grant(host, wanted, now()), mustProve: mustProve() }),
    forgetStreams: async (id, streams, createdAtMs) => forgetStreams(database, id, streams, createdAtMs),
    forgetConsumer: async (id, createdAtMs) => forgetConsumer(database, id, createdAtMs),
    matchStreams: async (pattern, after) => matchStreams(database, pattern, after),
    listSubscriptions: async (after, limit) => listSubscriptions(database, after, limit),
    signingKey: async () => {
      const key = await signingKey(database, now);
      const tagging = await wakeKey(secrets(), now());
      return tagging === undefined ? key : { ...key, wakeKey: tagging };
    },
    publicKeys: async () => publicKeys(database, now()),
    rotateSigningKey: () => rotateSigningKey(database, now),
    noteLinkKey: async (note) => noteLinkKey(database, note),
    forgetLinkKeys: async (source, token) => forgetLinkKeys(database, source, token),
  };
}

function hostOf(runtime: ObjectRuntime, peers: ObjectPeers): ProjectHost {
  return {
    now: wallMs,
    newKid: () => randomText(9),
    newSecret: () => randomText(32),
    publish: (name, record) => {
      const registry = needed(peers.registry, "a registry");
      return record === null
        ? registry.delete(RECORD_KEY_PREFIX + name)
        : registry.put(RECORD_KEY_PREFIX + name, record);
    },
    removeStream: async (project, stream) => {
      await peers.streams.getByName(`${project}/${stream}`).remove();
    },
    registryStream: (project) => peers.streams.getByName(`${project}/${REGISTRY_STREAM}`),
    subscription: (project, id) => needed(peers.subscriptions, "subscriptions").getByName(`${project}/${id}`),
    followers: (source) => needed(peers.followers, "followers").getByName(source),
    setAlarm: (atMs) => runtime.setAlarm(atMs),
    clearAlarm: () => runtime.clearAlarm(),
    sync: () => runtime.sync(),
    report: (message, error) => logFault(peers.config.logLevel, message, error),
  };
}

function needed<T>(part: T | undefined, name: string): T {
  if (part === undefined) throw new Error(`The server has no ${name}.`);
  return part;
}

function randomText(bytes: number): string {
  return base64url.encode(crypto.getRandomValues(new Uint8Array(bytes)));
}
