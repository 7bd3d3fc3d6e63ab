/** The Durable Object of one subscription of the protocol: a thin shell around `Consumer`. */

import { parseConfig } from "@durable-streams-cloudflare/core/config";
import type {
  AckCommand,
  AckResult,
  ClaimResult,
  ConsumerApi,
  ConsumerDirectoryApi,
  ConsumerView,
  CreateConsumerCommand,
  DeliveryReport,
  StreamChange,
  StreamNotification,
  WakeCommand,
  WantedApi,
} from "@durable-streams-cloudflare/core/contracts/wakes";
import { controlPathOf } from "@durable-streams-cloudflare/core/kit/control-path";
import { detach } from "@durable-streams-cloudflare/core/kit/detach";
import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import { withTimeout } from "@durable-streams-cloudflare/core/kit/with-timeout";
import type { WrittenStream } from "@durable-streams-cloudflare/core/wakes/host";
import { WAKE_SCHEMA } from "@durable-streams-cloudflare/core/wakes/tables/subscription-rows";
import { Consumer } from "@durable-streams-cloudflare/core/wakes/wake-subscription";
import { sendWebhook } from "@durable-streams-cloudflare/http/outbound/webhook";
import type { Result } from "@durable-streams-cloudflare/protocol";
import { DurableObject } from "cloudflare:workers";
import { base64url } from "jose";

import { objectDatabase } from "../bindings/object-database.ts";

/** A stream that has not answered by then is asked again later. */
const CALL_MS_MAX = 15_000;

export interface ConsumerEnv {
  readonly STREAMS: { getByName(name: string): WantedApi & WrittenStream };
  readonly PROJECTS: { getByName(name: string): ConsumerDirectoryApi };
}

export class ConsumerDO extends DurableObject<ConsumerEnv> implements ConsumerApi {
  readonly #consumer: Consumer;

  constructor(context: DurableObjectState, env: ConsumerEnv) {
    super(context, env);
    const { storage, id } = context;
    if (id.name === undefined) throw new Error("A subscription's object must be addressed by name.");
    const { name } = id;
    const project = name.slice(0, name.indexOf("/"));
    const config = parseConfig(env);
    // A stub that failed is of no more use, so each call gets a new one.
    const directory = (): ConsumerDirectoryApi => env.PROJECTS.getByName(project);
    const call = async <Answer extends object>(answer: Promise<Answer>): Promise<Answer> =>
      detach(await withTimeout(CALL_MS_MAX, answer));
    this.#consumer = new Consumer({
      database: objectDatabase(storage, WAKE_SCHEMA),
      name,
      stream: (stream) => ({
        want: (command) => call(env.STREAMS.getByName(stream).want(command)),
        append: (command) => call(env.STREAMS.getByName(stream).append(command)),
      }),
      directory: {
        registerConsumer: (consumer, interest) => call(directory().registerConsumer(consumer, interest)),
        forgetStreams: (...named) => withTimeout(CALL_MS_MAX, directory().forgetStreams(...named)),
        forgetConsumer: (...named) => withTimeout(CALL_MS_MAX, directory().forgetConsumer(...named)),
        matchStreams: (pattern, after) => call(directory().matchStreams(pattern, after)),
        signingKey: () => call(directory().signingKey()),
        grantDeliveries: (host, wanted) => call(directory().grantDeliveries(host, wanted)),
      },
      send: (request) =>
        sendWebhook(request, {
          timeoutMs: config.webhookTimeoutSeconds * 1000,
          allowsLoopback: config.webhookLoopback === "allow",
        }),
      publicControlUrl: config.publicUrl === "" ? null : config.publicUrl + controlPathOf(project, config.tenancy),
      allowsLoopback: config.webhookLoopback === "allow",
      newId: () => crypto.randomUUID(),
      newSecret: () => base64url.encode(crypto.getRandomValues(new Uint8Array(32))),
      random: () => Math.random(),
      now: () => Date.now(),
      sync: () => storage.sync(),
      setAlarm: (atMs) => void storage.setAlarm(atMs),
      clearAlarm: () => void storage.deleteAlarm(),
      report: (message, error) => logFault(config.logLevel, message, error),
    });
  }

  create(command: CreateConsumerCommand): Promise<Result<{ created: boolean; subscription: ConsumerView }>> {
    return this.#consumer.create(command);
  }

  describe(): Promise<Result<{ subscription: ConsumerView }>> {
    return this.#consumer.describe();
  }

  deliveries(): Promise<Result<DeliveryReport>> {
    return this.#consumer.deliveries();
  }

  addStreams(streams: readonly string[]): Promise<Result<object>> {
    return this.#consumer.addStreams(streams);
  }

  removeStream(stream: string): Promise<Result<object>> {
    return this.#consumer.removeStream(stream);
  }

  remove(): Promise<void> {
    return this.#consumer.remove();
  }

  claim(worker: string): Promise<Result<ClaimResult>> {
    return this.#consumer.claim(worker);
  }

  ack(command: AckCommand): Promise<Result<AckResult>> {
    return this.#consumer.ack(command);
  }

  release(command: WakeCommand): Promise<Result<object>> {
    return this.#consumer.release(command);
  }

  notify(notification: StreamNotification): Promise<boolean> {
    return this.#consumer.notify(notification);
  }

  discover(change: StreamChange): Promise<void> {
    return this.#consumer.discover(change);
  }

  override alarm(): Promise<void> {
    return this.#consumer.alarm();
  }
}
