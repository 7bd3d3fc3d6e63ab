/** The ports that a subscription of the protocol needs from its host; tests supply their own. */

import type { Result } from "@durable-streams-cloudflare/protocol";

import type { SubscriptionDirectoryApi, WantedApi } from "../contracts/wakes.ts";
import type { Database } from "../kit/database.ts";

/** A stream that a subscription writes to: its wakes, or what could not be delivered. */
export interface WrittenStream {
  append(command: {
    readonly bytes: Uint8Array<ArrayBuffer>;
    readonly contentType: string;
    readonly close: false;
    /** The same for each try: the stream takes it once. */
    readonly attempt: string;
  }): Promise<Result<object>>;
}

export interface WakeSubscriptionHost {
  readonly database: Database;
  /** The subscription's full name. */
  readonly name: string;
  /** The object of a stream, by its full name. Its calls fail when they take too long. */
  stream(name: string): WantedApi & WrittenStream;
  /** The project's directory. */
  readonly directory: SubscriptionDirectoryApi;
  /** Sends a webhook. @throws when there is no answer in time. */
  send(request: WebhookRequest): Promise<WebhookAnswer>;
  /** The URL of the project's `__ds` by `PUBLIC_URL`; `null`: as the client knew it that made the subscription. */
  readonly publicControlUrl: string | null;
  /** Whether webhooks may be sent to this machine, by plain HTTP. */
  readonly allowsLoopback: boolean;
  /** A random id, never twice the same. */
  newId(): string;
  /** 256 random bits as text. */
  newSecret(): string;
  /** At least 0, less than 1. */
  random(): number;
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves when everything written so far is durable. */
  sync(): Promise<void>;
  /** Asks for `WakeSubscription.alarm` at an instant, in ms; replaces an earlier wish. */
  setAlarm(atMs: number): void;
  clearAlarm(): void;
  /** Reports a failure that no caller learns of. */
  report(message: string, error: unknown): void;
}

export interface WebhookRequest {
  readonly url: string;
  readonly body: Uint8Array<ArrayBuffer>;
  /** The value of `Webhook-Signature`. */
  readonly signature: string;
}

export interface WebhookAnswer {
  readonly status: number;
  /** No more than what a JSON answer of ours needs. */
  readonly text: string;
}
