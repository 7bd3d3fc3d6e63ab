/** One subscription on Node.js, with streams, a directory and a webhook that do as the test says. */

import { formatOffset, refuse, type Result, type SubscriptionConfig } from "@durable-streams-cloudflare/protocol";
import { generateKeyPair, exportJWK } from "jose";

import type { AckCommand, ClaimResult, DeliveryGrant, SigningKey, WakeCommand } from "../src/contracts/wakes.ts";
import type { WakeSubscriptionHost, WebhookAnswer, WebhookRequest } from "../src/wakes/host.ts";
import { WAKE_SCHEMA } from "../src/wakes/tables/subscription-rows.ts";
import { WakeSubscription } from "../src/wakes/wake-subscription.ts";
import { NodeDatabase } from "./node-database.ts";

export const WAKE_START_MS = 1_800_000_000_000;
export const CONTROL_URL = "https://streams.shop.com/v1/stream/p/__ds";

/** A stream as far as subscriptions know it. */
interface FakeStream {
  incarnation: number;
  /** When each byte was appended, in ms. */
  readonly appendedAtMs: number[];
  readonly events: Record<string, unknown>[];
  readonly requestIds: Set<string>;
}

/** What a webhook has been sent. */
export interface Notification {
  readonly subscription_id: string;
  readonly wake_id: string;
  readonly generation: number;
  readonly callback_url: string;
  readonly callback_token: string;
  readonly streams: readonly { path: string; acked_offset: string; tail_offset: string; has_pending: boolean }[];
}

const { privateKey, publicKey } = await generateKeyPair("EdDSA", { extractable: true });
export const PUBLIC_JWK = (await exportJWK(publicKey)) as JsonWebKey;
const KEY: SigningKey = { kid: "ds_test", jwk: JSON.stringify(await exportJWK(privateKey)) };

export class WakeFixture {
  readonly database = new NodeDatabase(WAKE_SCHEMA);
  nowMs = WAKE_START_MS;
  alarmAtMs: number | undefined;
  alarmsSet = 0;
  readonly streams = new Map<string, FakeStream>();
  /** What happens while the next answers of streams are on their way. */
  readonly onWant: (() => Promise<unknown>)[] = [];
  /** Streams that do not answer. */
  readonly silent = new Set<string>();
  /** When webhooks were sent, and what. */
  readonly sent: { readonly atMs: number; readonly request: WebhookRequest; readonly body: Notification }[] = [];
  readonly reports: string[] = [];
  /** What the webhook answers. */
  webhook: (body: Notification) => WebhookAnswer | Promise<WebhookAnswer> = () => ({ status: 200, text: "{}" });
  /** Names that the directory lists. */
  readonly listed: string[] = [];
  readonly directoryCalls: string[] = [];
  /** When the subscriptions were created that the directory was told of, and asked to forget something of. */
  readonly interests: { readonly registered: number[]; readonly forgotten: (number | undefined)[] } = {
    registered: [],
    forgotten: [],
  };
  isDirectorySilent = false;
  /** What the project answers to those who ask for permits, and for which hosts it was asked. */
  grant: () => DeliveryGrant = () => ({ granted: 8, waitMs: 0, mustProve: false });
  readonly asked: string[] = [];
  publicControlUrl: string | null = null;
  allowsLoopback = false;
  #ids = 0;
  #incarnations = 0;
  consumer = this.#boot();

  /** The object's memory is gone; what is on its disk stays. */
  restart(): void {
    this.consumer = this.#boot();
  }

  /** Lets time go on, alarm by alarm. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    for (let firings = 0; this.alarmAtMs !== undefined && this.alarmAtMs <= untilMs; firings += 1) {
      if (firings > 10_000) throw new Error("The alarm never comes to rest.");
      this.nowMs = Math.max(this.nowMs, this.alarmAtMs);
      this.alarmAtMs = undefined;
      await this.consumer.alarm();
    }
    this.nowMs = untilMs;
  }

  makeStream(name: string): void {
    this.#incarnations += 1;
    this.streams.set(name, { incarnation: this.#incarnations, appendedAtMs: [], events: [], requestIds: new Set() });
  }

  /** Appends a byte, and notifies the subscription as a stream does. */
  async append(name: string): Promise<string> {
    if (!this.streams.has(name)) this.makeStream(name);
    this.nowMs += 1;
    this.#stream(name)?.appendedAtMs.push(this.nowMs);
    const tail = this.tail(name);
    await this.consumer.notify({ stream: name, incarnation: this.#stream(name)?.incarnation ?? 0, tail });
    return tail;
  }

  /** The directory notifies of a new stream, or of the end of one. */
  async discover(name: string, hasEnded = false): Promise<void> {
    const incarnation = this.#stream(name)?.incarnation ?? 0;
    if (hasEnded) this.streams.delete(name);
    await this.consumer.discover({ stream: name, incarnation, hasEnded });
  }

  /** A worker takes the wake that there is. */
  async claim(worker = "w"): Promise<ClaimResult> {
    const claimed = await this.consumer.claim(worker);
    if (!claimed.ok) throw new Error(claimed.problem.code);
    return claimed;
  }

  /** What the webhook was sent last. */
  last(): Notification {
    const body = this.sent.at(-1)?.body;
    if (body === undefined) throw new Error("Nothing was sent.");
    return body;
  }

  tail(name: string): string {
    const stream = this.#stream(name);
    return formatOffset(stream?.incarnation ?? 0, stream?.appendedAtMs.length ?? 0);
  }

  async acked(name: string): Promise<string | undefined> {
    const described = await this.consumer.describe();
    if (!described.ok) throw new Error(described.problem.code);
    return described.subscription.streams.find(({ path }) => path === name)?.acked;
  }

  create(config: Partial<SubscriptionConfig> = {}, controlUrl = CONTROL_URL) {
    return this.consumer.create({ config: { ...WEBHOOK, ...config }, controlUrl });
  }

  #stream(name: string): FakeStream | undefined {
    return this.streams.get(name);
  }

  #boot(): WakeSubscription {
    const host: WakeSubscriptionHost = {
      database: this.database,
      name: "p/sub",
      stream: (full) => this.#streamApi(full.slice("p/".length)),
      directory: this.#directory(),
      send: async (request) => {
        const body = JSON.parse(new TextDecoder().decode(request.body)) as Notification;
        this.sent.push({ atMs: this.nowMs, request, body });
        return this.webhook(body);
      },
      publicControlUrl: this.publicControlUrl,
      allowsLoopback: this.allowsLoopback,
      newId: () => `${(this.#ids += 1)}`,
      newSecret: () => `secret-${(this.#ids += 1)}`.padEnd(43, "x"),
      random: () => 0.5,
      now: () => this.nowMs,
      sync: async () => undefined,
      setAlarm: (atMs) => {
        this.alarmAtMs = atMs;
        this.alarmsSet += 1;
      },
      clearAlarm: () => void (this.alarmAtMs = undefined),
      report: (message, error) => void this.reports.push(`${message} ${String(error)}`),
    };
    return new WakeSubscription(host);
  }

  #streamApi(name: string): ReturnType<WakeSubscriptionHost["stream"]> {
    return {
      want: async ({ sinceMs }) => {
        if (this.silent.has(name)) throw new Error("The stream does not answer.");
        const stream = this.#stream(name);
        if (stream === undefined) {
          await this.onWant.shift()?.();
          return refuse("stream-not-found", "There is none.");
        }
        const { incarnation, appendedAtMs } = stream;
        const from = formatOffset(incarnation, appendedAtMs.filter((atMs) => atMs <= sinceMs).length);
        const answer = { ok: true, incarnation, from, tail: this.tail(name) } as const;
        await this.onWant.shift()?.();
        return answer;
      },
      append: async ({ bytes, attempt: requestId }) => {
        const stream = this.#stream(name);
        if (stream === undefined) return refuse("stream-not-found", "There is none.");
        if (stream.requestIds.has(requestId)) return { ok: true };
        stream.requestIds.add(requestId);
        stream.events.push(JSON.parse(new TextDecoder().decode(bytes).slice(0, -1)) as Record<string, unknown>);
        return { ok: true };
      },
    };
  }

  #directory(): WakeSubscriptionHost["directory"] {
    const call = (what: string): void => {
      if (this.isDirectorySilent) throw new Error("The directory does not answer.");
      this.directoryCalls.push(what);
    };
    return {
      registerConsumer: async (id, { pattern, streams, createdAtMs }) => {
        this.interests.registered.push(createdAtMs);
        call(`register ${id} ${pattern ?? ""} ${streams.join()}`.trimEnd());
        return { ok: true, mustProve: this.grant().mustProve };
      },
      forgetStreams: async (id, streams, createdAtMs) => {
        this.interests.forgotten.push(createdAtMs);
        call(`forget ${id} ${streams.join()}`);
      },
      forgetConsumer: async (id, createdAtMs) => {
        this.interests.forgotten.push(createdAtMs);
        call(`forget ${id}`);
      },
      matchStreams: async () => {
        call("match");
        return { streams: this.listed, cursor: null };
      },
      signingKey: async () => KEY,
      grantDeliveries: async (host) => {
        this.asked.push(host);
        return this.grant();
      },
    };
  }
}

export const WEBHOOK: SubscriptionConfig = {
  type: "webhook",
  pattern: null,
  streams: ["a"],
  webhookUrl: "https://worker.shop.com/hooks",
  wakeStream: null,
  leaseTtlMs: 1_000,
  description: null,
  deadLetter: null,
};

export const PULL: Partial<SubscriptionConfig> = { type: "pull-wake", webhookUrl: null, wakeStream: "wake" };

/** How a worker speaks of what it has claimed. */
export function ofClaim({ token, wakeId, generation }: ClaimResult): WakeCommand {
  return { via: "pull-wake", token, wakeId, generation };
}

export function codeOf(result: Result<object>): string {
  return result.ok ? "ok" : result.problem.code;
}

/** What the receiver of a webhook calls back. */
export function callbackOf(body: Notification, more: Partial<AckCommand> = {}): AckCommand {
  const { callback_token: token, wake_id: wakeId, generation } = body;
  return { via: "webhook", token, wakeId, generation, acks: [], done: false, ...more };
}
