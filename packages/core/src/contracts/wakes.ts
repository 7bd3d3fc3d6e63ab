/**
 * The messages between the objects behind the protocol's subscriptions: the subscription, the streams that notify it, and its
 * project's directory. Plain data that can be sent over RPC. Tables, bindings and some methods call a subscription a consumer.
 */

import type { DeadLetter, Result, SubscriptionConfig } from "@durable-streams-cloudflare/protocol";

/** A stream, as subscriptions see it. */
export interface WantedApi {
  /** From now on the stream notifies the subscription of its appends. Idempotent. */
  want(command: WantCommand): Promise<Result<WantResult>>;
}

export interface WantCommand {
  /** The subscription's full name. */
  readonly consumer: string;
  /** What was appended until this instant, in ms, is not new for it. */
  readonly sinceMs: number;
}

export interface WantResult {
  readonly incarnation: number;
  /** The offset from which appends are new to it. */
  readonly from: string;
  readonly tail: string;
}

/** A stream has grown. */
export interface StreamNotification {
  /** Its name within the project. */
  readonly stream: string;
  readonly incarnation: number;
  readonly tail: string;
}

/** A stream of the project was made, or has ended. */
export interface StreamChange {
  readonly stream: string;
  readonly incarnation: number;
  readonly hasEnded: boolean;
}

/** A subscription, as streams and the directory see it. */
export interface SubscriptionNotifyApi {
  /** @returns whether the stream should keep notifying. */
  notify(notification: StreamNotification): Promise<boolean>;
  /** Resolves when the subscription has recorded the change. */
  discover(change: StreamChange): Promise<void>;
}

/** A subscription, as the edge sees it. */
export interface WakeSubscriptionApi extends SubscriptionNotifyApi {
  create(command: CreateSubscriptionCommand): Promise<Result<{ created: boolean; subscription: SubscriptionView }>>;
  describe(): Promise<Result<{ subscription: SubscriptionView }>>;
  /** The last attempts to deliver, newest first. */
  deliveries(): Promise<Result<DeliveryReport>>;
  addStreams(streams: readonly string[]): Promise<Result<object>>;
  removeStream(stream: string): Promise<Result<object>>;
  /** Done again, it does nothing. */
  remove(): Promise<void>;
  claim(worker: string): Promise<Result<ClaimResult>>;
  /** Also a webhook's callback. */
  ack(command: AckCommand): Promise<Result<AckResult>>;
  release(command: WakeCommand): Promise<Result<object>>;
}

export interface CreateSubscriptionCommand {
  readonly config: SubscriptionConfig;
  /** The URL of the project's `__ds`, as the client knows it. */
  readonly controlUrl: string;
}

export interface SubscriptionView extends Omit<SubscriptionConfig, "streams"> {
  readonly id: string;
  readonly streams: readonly LinkView[];
  readonly createdAtMs: number;
  readonly status: "active" | "failed";
  /** The key that signs webhooks now. */
  readonly kid: string | null;
  /** Of a webhook whose project demands a proof of its URL. */
  readonly proof?: ProofView;
  readonly controlUrl: string;
}

export interface ProofView {
  readonly isProven: boolean;
  /** When the next challenge is sent, in ms; `null`: none is. */
  readonly nextAttemptAtMs: number | null;
  /** Why the last challenge failed; `null`: it did not. */
  readonly error: string | null;
}

export interface LinkView {
  readonly path: string;
  readonly linkType: "explicit" | "glob";
  readonly acked: string;
  readonly tail: string;
}

export interface DeliveryReport {
  readonly attempts: readonly DeliveryAttempt[];
  /** In ms; `null`: nothing waits for another attempt. */
  readonly nextAttemptAtMs: number | null;
  /** Whether that attempt has been put off because the project's limit of deliveries is reached; missing: it has not. */
  readonly isLimited?: boolean;
  readonly deadLetter: DeadLetter | null;
}

export interface DeliveryAttempt {
  readonly wakeId: string;
  readonly generation: number;
  readonly atMs: number;
  /** Of the webhook's answer; `null`: there was none. */
  readonly status: number | null;
  /** Why it failed; `null`: it did not. */
  readonly error: string | null;
}

export interface ClaimResult {
  readonly wakeId: string;
  readonly generation: number;
  readonly token: string;
  readonly streams: readonly LinkView[];
  readonly leaseTtlMs: number;
}

export interface WakeCommand {
  /** By which of a subscription's two ways this came. */
  readonly via: SubscriptionConfig["type"];
  readonly token: string;
  readonly wakeId: string;
  readonly generation: number;
}

export interface AckCommand extends WakeCommand {
  readonly acks: readonly { readonly stream: string; readonly offset: string }[];
  readonly done: boolean;
}

export interface AckResult {
  readonly nextWake: boolean;
}

/** A project's directory, as its subscriptions see it. */
export interface SubscriptionDirectoryApi {
  /**
   * From now on the subscription is notified of streams that it may want. Idempotent; names add up. A late call of a
   * subscription that was deleted and created again since does nothing.
   */
  registerConsumer(id: string, interest: Interest): Promise<Result<Registered>>;
  /**
   * From now on the subscription is not notified of these names. Idempotent.
   * @param createdAtMs of the subscription: one that was created later is another. Objects of an older version do not say it.
   */
  forgetStreams(id: string, streams: readonly string[], createdAtMs?: number): Promise<void>;
  /** @param createdAtMs the same. */
  forgetConsumer(id: string, createdAtMs?: number): Promise<void>;
  /** Names of streams that match a pattern, in order. */
  matchStreams(pattern: string, after: string): Promise<MatchedStreams>;
  /** The key that signs webhooks now. */
  signingKey(): Promise<SigningKey>;
  /** Permits to send webhooks to a host, as many as are wanted at the most. */
  grantDeliveries(host: string, wanted: number): Promise<DeliveryGrant>;
}

export interface Registered {
  /** Whether the project demands that a webhook's URL proves itself; missing: it does not. */
  readonly mustProve?: boolean;
}

export interface DeliveryGrant {
  readonly granted: number;
  /** When there is one again, in ms from now; 0 where some were granted. */
  readonly waitMs: number;
  /** Whether only a URL that has proven itself may be sent wakes. */
  readonly mustProve: boolean;
}

export interface MatchedStreams {
  readonly streams: readonly string[];
  /** Where the next page begins; `null`: this was the last. */
  readonly cursor: string | null;
}

export interface Interest {
  readonly type: SubscriptionConfig["type"];
  readonly pattern: string | null;
  readonly streams: readonly string[];
  readonly createdAtMs: number;
}

export interface SigningKey {
  readonly kid: string;
  /** The private Ed25519 key, as JWK in JSON. */
  readonly jwk: string;
  /** What the tokens of wakes are tagged with, so that the edge knows them (`wake-tag.ts`). */
  readonly wakeKey?: string;
}
