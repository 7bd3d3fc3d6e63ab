/**
 * How a subscription is created, which streams it has, and how it is deleted. Changes are made one after the other, because the
 * directory must hear of them in order. Changes that were stored but not sent are continued by the alarm.
 */

import { refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import type { CreateSubscriptionCommand, MatchedStreams, Registered } from "../contracts/wakes.ts";
import { KeyedMutex } from "../kit/keyed-mutex.ts";
import { SingleFlight } from "../kit/single-flight.ts";
import type { WakeSubscriptionHost } from "./host.ts";
import { LINKS_MAX, type Links } from "./links.ts";
import { demandProof } from "./proofs.ts";
import { refuseNoSubscription } from "./refusals.ts";
import type { Steps } from "./steps.ts";
import type { StoredSubscription } from "./stored-subscription.ts";
import { hashConfig, type SubscriptionRecord } from "./subscription-record.ts";
import { explicitPaths } from "./tables/subscription-rows.ts";
import { refuseWebhookUrl } from "./webhook-url.ts";

/** Streams that are asked before the answer; the others soon after it. */
const STREAMS_AT_ONCE = 256;
const RETRY_MS = 5_000;
/** A call to the directory that was not answered cannot arrive so long after it was made. */
const LATE_MS = 60_000;

export class Membership {
  readonly #host: WakeSubscriptionHost;
  readonly #record: StoredSubscription;
  readonly #links: Links;
  readonly #steps: Steps;
  readonly #changes = new KeyedMutex();
  readonly #removals = new SingleFlight<void>(1);
  /** When to try again; after a restart at once. */
  #retryAtMs = 0;

  constructor(host: WakeSubscriptionHost, record: StoredSubscription, links: Links, steps: Steps) {
    this.#host = host;
    this.#record = record;
    this.#links = links;
    this.#steps = steps;
  }

  /** Creates the subscription, or confirms that it is what is asked for [PROTOCOL §6.2]. */
  create(command: CreateSubscriptionCommand): Promise<Result<{ created: boolean }>> {
    // What is appended from here on counts as new, however long the directory takes.
    const sinceMs = this.#host.now();
    return this.#inTurn(async () => {
      const { config, controlUrl } = command;
      const hash = await hashConfig(config);
      const known = this.#record.subscription();
      if (known !== undefined) return this.#confirm(known, command, hash);
      const ownHosts = [new URL(this.#host.publicControlUrl ?? controlUrl).host];
      const rules = { allowsLoopback: this.#host.allowsLoopback, ownHosts };
      const refused = config.webhookUrl === null ? undefined : refuseWebhookUrl(config.webhookUrl, rules);
      if (refused !== undefined) return refused;
      const { streams, ...rest } = config;
      const secret = this.#host.newSecret();
      this.#steps.run(() => {
        // Later than the one that was deleted: by that the directory tells their calls apart.
        const createdAtMs = Math.max(sinceMs, (this.#record.tombstone()?.createdAtMs ?? 0) + 1);
        this.#record.begin({ config: rest, hash, controlUrl, createdAtMs, secret, isRegistered: false });
        for (const stream of streams) this.#links.add(stream, "explicit", sinceMs);
      });
      const registered = await this.#register();
      return registered.ok ? { ok: true, created: true } : registered;
    });
  }

  /** [PROTOCOL §6.4] */
  addStreams(streams: readonly string[]): Promise<Result<object>> {
    const sinceMs = this.#host.now();
    return this.#inTurn(async () => {
      const subscription = this.#record.subscription();
      if (subscription === undefined) return refuseNoSubscription();
      const { wakeStream, deadLetter } = subscription.config;
      const own = streams.find((stream) => stream === wakeStream || stream === deadLetter?.stream);
      if (own !== undefined)
        return refuse(
          "subscription-invalid",
          `The subscription writes to ${own} itself, so that stream cannot wake it.`,
        );
      const notified = await this.#notifyDirectory(subscription, streams);
      if (!notified.ok) return notified;
      const hasCapacity = this.#steps.run(() =>
        streams.map((stream) => this.#links.add(stream, "explicit", sinceMs)).every(Boolean),
      );
      await this.#askSome();
      return hasCapacity ? { ok: true } : refuseFull();
    });
  }

  /** Takes back that a stream was named. Where a pattern matches it, it stays. */
  removeStream(stream: string): Promise<Result<object>> {
    return this.#inTurn(async () => {
      const subscription = this.#record.subscription();
      if (subscription === undefined) return refuseNoSubscription();
      this.#steps.run((current) => {
        this.#links.removeExplicit(stream, this.#steps.isAwake());
        if (current !== undefined) this.#record.update({ ...current, namesDueAtMs: this.#host.now() + LATE_MS });
      });
      await this.#host.sync();
      // Should that get lost, the subscription is notified of a stream that it does not want.
      const isAnswered = await this.#host.directory.forgetStreams(this.#id, [stream], subscription.createdAtMs).then(
        () => true,
        () => false,
      );
      // Otherwise this call, or an earlier one, may still arrive.
      if (isAnswered && subscription.namesDueAtMs === undefined) this.#endNamesDue();
      return { ok: true };
    });
  }

  /** Never refused: all that are called at the same time share one turn. */
  remove(): Promise<void> {
    return this.#removals.run("", () =>
      this.#alwaysInTurn(async () => {
        if (this.#record.subscription() === undefined) return;
        this.#bury();
        await this.#host.sync();
        await this.#forget().catch(() => undefined);
      }),
    );
  }

  /** When the alarm is to continue with what was not sent, in ms. */
  dueAtMs(): number | undefined {
    const subscription = this.#record.subscription();
    const isDone = subscription?.isRegistered ?? this.#record.tombstone()?.isForgotten ?? true;
    if (!isDone) return this.#retryAtMs;
    return subscription?.namesDueAtMs && Math.max(subscription.namesDueAtMs, this.#retryAtMs);
  }

  /** Goes on where an earlier instance of this object, or an earlier try, broke off. */
  async goOn(): Promise<void> {
    if ((this.dueAtMs() ?? Infinity) > this.#host.now()) return;
    await this.#alwaysInTurn(async () => {
      const subscription = this.#record.subscription();
      if (subscription?.isRegistered === false) await this.#register();
      else if (subscription?.namesDueAtMs !== undefined) await this.#nameAgain(subscription);
      else if (this.#record.tombstone()?.isForgotten === false) await this.#forget();
    });
  }

  /** No call that takes a name back can arrive any more: what one may have undone is made good. */
  async #nameAgain(subscription: SubscriptionRecord): Promise<void> {
    const names = explicitPaths(this.#host.database, LINKS_MAX);
    const notified = await this.#notifyDirectory(subscription, names);
    if (notified.ok) this.#endNamesDue();
    await this.#host.sync();
  }

  #endNamesDue(): void {
    this.#steps.run((current) => {
      if (current === undefined) return;
      const { namesDueAtMs: _, ...subscription } = current;
      this.#record.update(subscription);
    });
  }

  async #confirm(
    known: SubscriptionRecord,
    { controlUrl }: CreateSubscriptionCommand,
    hash: string,
  ): Promise<Result<{ created: boolean }>> {
    if (known.hash !== hash) {
      return refuse(
        "subscription-exists",
        "A subscription with this id already exists with a different configuration.",
        {
          hint: "Delete it first, or send the configuration that it has.",
        },
      );
    }
    if (known.controlUrl !== controlUrl) this.#steps.run(() => this.#record.update({ ...known, controlUrl }));
    if (known.isRegistered) return { ok: true, created: false };
    const registered = await this.#register();
    return registered.ok ? { ok: true, created: true } : registered;
  }

  /** Registers the subscription with the directory, and links what the directory lists already. Idempotent. */
  async #register(): Promise<Result<object>> {
    const subscription = this.#record.subscription();
    if (subscription === undefined) return refuseNoSubscription();
    await this.#host.sync();
    const notified = await this.#notifyDirectory(subscription, explicitPaths(this.#host.database, LINKS_MAX));
    const linked = notified.ok ? await this.#backfill(subscription) : notified;
    if (!linked.ok) {
      if (linked.problem.code !== "unavailable") await this.#giveUp();
      return linked;
    }
    const mustProve = subscription.config.type === "webhook" && notified.ok && notified.mustProve === true;
    const demanded = mustProve && subscription.proof === undefined ? { proof: demandProof(this.#host.now()) } : {};
    this.#steps.run(
      (current) => current !== undefined && this.#record.update({ ...current, ...demanded, isRegistered: true }),
    );
    await this.#askSome();
    return { ok: true };
  }

  async #notifyDirectory(
    { config, createdAtMs }: SubscriptionRecord,
    streams: readonly string[],
  ): Promise<Result<Registered>> {
    const { type, pattern } = config;
    const interest = { type, pattern, streams, createdAtMs };
    return this.#host.directory.registerConsumer(this.#id, interest).catch(() => refuseUnavailable());
  }

  async #backfill({ config, createdAtMs }: SubscriptionRecord): Promise<Result<object>> {
    const { pattern, wakeStream, deadLetter } = config;
    if (pattern === null) return { ok: true };
    let after: string | null = "";
    while (after !== null) {
      const page: MatchedStreams | undefined = await this.#host.directory
        .matchStreams(pattern, after)
        .catch(() => undefined);
      if (page === undefined) return refuseUnavailable();
      const streams = page.streams.filter((stream) => stream !== wakeStream && stream !== deadLetter?.stream);
      const hasCapacity = this.#steps.run(() =>
        streams.map((stream) => this.#links.add(stream, "glob", createdAtMs)).every(Boolean),
      );
      if (!hasCapacity) return refuseFull();
      after = page.cursor;
    }
    return { ok: true };
  }

  /** There is no room for the subscription. */
  async #giveUp(): Promise<void> {
    this.#bury();
    await this.#forget().catch(() => undefined);
  }

  #bury(): void {
    this.#steps.run((subscription) => {
      const { secret, createdAtMs } = subscription ?? {};
      const kept = secret === undefined || createdAtMs === undefined ? {} : { secret, createdAtMs };
      this.#record.bury({ deletedAtMs: this.#host.now(), isForgotten: false, ...kept });
    });
  }

  async #forget(): Promise<void> {
    const tombstone = this.#record.tombstone();
    await this.#host.directory.forgetConsumer(this.#id, tombstone?.createdAtMs);
    if (tombstone !== undefined) this.#steps.run(() => this.#record.bury({ ...tombstone, isForgotten: true }));
    await this.#host.sync();
  }

  async #askSome(): Promise<void> {
    await this.#links.askDue(STREAMS_AT_ONCE, () => this.#steps.isAwake());
    this.#steps.run(() => undefined);
    await this.#host.sync();
  }

  get #id(): string {
    return this.#host.name.slice(this.#host.name.indexOf("/") + 1);
  }

  /** Refuses when too many changes are waiting: what each holds, its request's streams, is in memory. */
  #inTurn<Value>(work: () => Promise<Result<Value>>): Promise<Result<Value>> {
    return this.#changes.run("", () => this.#begin(work));
  }

  /** For changes of which only one waits at a time. */
  #alwaysInTurn<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    return this.#changes.runAlways("", () => this.#begin(work));
  }

  #begin<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    this.#retryAtMs = this.#host.now() + RETRY_MS;
    return work();
  }
}

function refuseUnavailable(): Refusal {
  const detail = "The project's directory did not answer yet; the subscription is still being created.";
  return refuse("unavailable", detail, { headers: { "Retry-After": "1" } });
}

function refuseFull(): Refusal {
  return refuse("subscriptions-full", `A subscription can have at most ${LINKS_MAX} streams.`, {
    hint: "Use narrower patterns and several subscriptions.",
  });
}
