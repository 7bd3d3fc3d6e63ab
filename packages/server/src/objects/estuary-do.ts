/** The Durable Object of one session: a thin shell that supplies the runtime's storage, clock and alarm. */

import { parseConfig } from "@durable-streams-cloudflare/core/config";
import type {
  EstuaryApi,
  EstuaryResult,
  LinkId,
  LinkOwnerApi,
  SessionStreamApi,
  SourceResult,
  SubscribeCommand,
  SubscribeResult,
  SubscriptionApi,
} from "@durable-streams-cloudflare/core/contracts/fan-out";
import { Estuary } from "@durable-streams-cloudflare/core/fan-out/session/estuary";
import { ESTUARY_SCHEMA } from "@durable-streams-cloudflare/core/fan-out/session/estuary-rows";
import { detach } from "@durable-streams-cloudflare/core/kit/detach";
import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import { objectName } from "@durable-streams-cloudflare/core/kit/object-name";
import { retryRpc, callOnce } from "@durable-streams-cloudflare/core/kit/retry-rpc";
import type { Result } from "@durable-streams-cloudflare/protocol";
import { DurableObject } from "cloudflare:workers";

import { objectDatabase } from "../bindings/object-database.ts";

type StreamStub = SessionStreamApi & { head(): Promise<Result<{ readonly contentType: string }>> };

export interface EstuaryEnv {
  readonly STREAMS: { getByName(name: string): StreamStub };
  readonly SUBSCRIPTIONS: { getByName(source: string): SubscriptionApi };
}

export class EstuaryDO extends DurableObject<EstuaryEnv> implements EstuaryApi, LinkOwnerApi {
  readonly #estuary: Estuary;

  constructor(context: DurableObjectState, env: EstuaryEnv) {
    super(context, env);
    const { storage } = context;
    const name = objectName(context.id);
    const { logLevel } = parseConfig(env);
    const streamOf = (stream: string): StreamStub => env.STREAMS.getByName(stream);
    this.#estuary = new Estuary({
      database: objectDatabase(storage, ESTUARY_SCHEMA),
      name,
      // Each of these is idempotent. Linking is not: the estuary must know of each call that may still arrive.
      stream: {
        openSession: async (command) => detach(await callOnce(() => streamOf(name).openSession(command))),
        session: async (renew) => detach(await retryRpc(() => streamOf(name).session(renew))),
        endSession: async (incarnation) => detach(await retryRpc(() => streamOf(name).endSession(incarnation))),
      },
      source: (source) => ({ head: async () => detach(await retryRpc(() => streamOf(source).head())) }),
      subscription: (source) => ({
        link: async (command) => detach(await env.SUBSCRIPTIONS.getByName(source).link(command)),
        unlink: async (command) => detach(await env.SUBSCRIPTIONS.getByName(source).unlink(command)),
      }),
      now: () => Date.now(),
      sync: () => storage.sync(),
      purge: () => storage.deleteAll(),
      setAlarm: (atMs) => void storage.setAlarm(atMs),
      clearAlarm: () => void storage.deleteAlarm(),
      report: (message, error) => logFault(logLevel, message, error),
    });
  }

  subscribe(command: SubscribeCommand): Promise<Result<SubscribeResult>> {
    return this.#estuary.subscribe(command);
  }

  join(command: SubscribeCommand): Promise<Result<SubscribeResult>> {
    return this.#estuary.subscribe(command);
  }

  unsubscribe(sources: readonly string[]): Promise<Result<{ results: readonly SourceResult[] }>> {
    return this.#estuary.unsubscribe(sources);
  }

  describe(): Promise<Result<EstuaryResult>> {
    return this.#estuary.describe();
  }

  touch(): Promise<Result<Pick<EstuaryResult, "deadlineMs">>> {
    return this.#estuary.touch();
  }

  remove(): Promise<Result<object>> {
    return this.#estuary.remove();
  }

  linkEnded(source: string, link: LinkId): Promise<void> {
    return this.#estuary.linkEnded(source, link);
  }

  override alarm(): Promise<void> {
    return this.#estuary.alarm();
  }
}
