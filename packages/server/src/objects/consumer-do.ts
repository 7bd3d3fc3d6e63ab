/** The Durable Object of one subscription of the protocol. Deployed servers know its class as `ConsumerDO`. */

import type {
  AckCommand,
  AckResult,
  ClaimResult,
  WakeSubscriptionApi,
  SubscriptionView,
  CreateSubscriptionCommand,
  DeliveryReport,
  StreamChange,
  StreamNotification,
  WakeCommand,
} from "@durable-streams-cloudflare/core/contracts/wakes";
import { WAKE_SCHEMA } from "@durable-streams-cloudflare/core/wakes/tables/subscription-rows";
import type { WakeSubscription } from "@durable-streams-cloudflare/core/wakes/wake-subscription";
import { createSubscription, subscriptionApi } from "@durable-streams-cloudflare/http/objects/subscription-object";
import type { Result } from "@durable-streams-cloudflare/protocol";
import { DurableObject } from "cloudflare:workers";

import { peersOf, runtimeOf, type ObjectEnv } from "./runtime.ts";

export class ConsumerDO extends DurableObject<ObjectEnv> implements WakeSubscriptionApi {
  readonly #subscription: WakeSubscription;
  readonly #api: WakeSubscriptionApi;

  constructor(context: DurableObjectState, env: ObjectEnv) {
    super(context, env);
    this.#subscription = createSubscription(runtimeOf(context, WAKE_SCHEMA), peersOf(env));
    this.#api = subscriptionApi(this.#subscription);
  }

  create(command: CreateSubscriptionCommand): Promise<Result<{ created: boolean; subscription: SubscriptionView }>> {
    return this.#api.create(command);
  }

  describe(): Promise<Result<{ subscription: SubscriptionView }>> {
    return this.#api.describe();
  }

  deliveries(): Promise<Result<DeliveryReport>> {
    return this.#api.deliveries();
  }

  addStreams(streams: readonly string[]): Promise<Result<object>> {
    return this.#api.addStreams(streams);
  }

  removeStream(stream: string): Promise<Result<object>> {
    return this.#api.removeStream(stream);
  }

  remove(): Promise<void> {
    return this.#api.remove();
  }

  claim(worker: string): Promise<Result<ClaimResult>> {
    return this.#api.claim(worker);
  }

  ack(command: AckCommand): Promise<Result<AckResult>> {
    return this.#api.ack(command);
  }

  release(command: WakeCommand): Promise<Result<object>> {
    return this.#api.release(command);
  }

  notify(notification: StreamNotification): Promise<boolean> {
    return this.#api.notify(notification);
  }

  discover(change: StreamChange): Promise<void> {
    return this.#api.discover(change);
  }

  override alarm(): Promise<void> {
    return this.#subscription.alarm();
  }
}
