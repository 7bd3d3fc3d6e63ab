/**
 * One subscription of the protocol: its streams and cursors, its wake and its lease [PROTOCOL §6, §7]. It composes
 * `membership.ts`, `deliveries.ts` and `leases.ts`, which all make their changes through `steps.ts`; its streams notify it.
 */

import type { Result } from "@durable-streams-cloudflare/protocol";

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
} from "../contracts/wakes.ts";
import { Alarms } from "../kit/alarms.ts";
import { Deliveries } from "./deliveries.ts";
import type { WakeSubscriptionHost } from "./host.ts";
import { Leases } from "./leases.ts";
import { Links, LINKS_MAX } from "./links.ts";
import { Membership } from "./membership.ts";
import { Permits } from "./permits.ts";
import { Proofs, viewOfProof } from "./proofs.ts";
import { refuseNoSubscription } from "./refusals.ts";
import { Sender } from "./sender.ts";
import { Steps } from "./steps.ts";
import { StoredSubscription } from "./stored-subscription.ts";
import { linksByNeed, nextAskMs, viewOfLink } from "./tables/subscription-rows.ts";

/** Streams that are asked before the alarm fires again. */
const STREAMS_PER_ALARM = 256;
/** What broke off is repeated after this long. */
const RETRY_MS = 5_000;

export class WakeSubscription implements WakeSubscriptionApi {
  readonly #host: WakeSubscriptionHost;
  readonly #alarms: Alarms;
  readonly #record: StoredSubscription;
  readonly #links: Links;
  readonly #steps: Steps;
  readonly #membership: Membership;
  readonly #sender: Sender;
  readonly #proofs: Proofs;
  readonly #deliveries: Deliveries;
  readonly #leases: Leases;

  constructor(host: WakeSubscriptionHost) {
    this.#host = host;
    host.database.tables.upgrade();
    this.#alarms = new Alarms(host);
    this.#record = new StoredSubscription(host);
    this.#links = new Links(host);
    this.#steps = new Steps(host, this.#record, this.#alarms);
    this.#membership = new Membership(host, this.#record, this.#links, this.#steps);
    this.#sender = new Sender(host);
    const permits = new Permits(host);
    this.#proofs = new Proofs(host, this.#record, this.#steps, this.#sender, permits);
    this.#deliveries = new Deliveries(host, this.#record, this.#steps, this.#sender, permits);
    this.#leases = new Leases(host, this.#record, this.#links, this.#steps);
    this.#addPurposes();
  }

  async create(
    command: CreateSubscriptionCommand,
  ): Promise<Result<{ created: boolean; subscription: SubscriptionView }>> {
    const made = await this.#membership.create(command);
    if (!made.ok) return made;
    const described = await this.describe();
    return described.ok ? { ...described, created: made.created } : described;
  }

  async describe(): Promise<Result<{ subscription: SubscriptionView }>> {
    const subscription = this.#record.subscription();
    if (subscription === undefined) return refuseNoSubscription();
    const kid = subscription.config.type === "webhook" ? (await this.#sender.signingKey()).kid : null;
    const { wake, hasFailed } = this.#record.progress();
    const { config, createdAtMs } = subscription;
    const controlUrl = this.#host.publicControlUrl ?? subscription.controlUrl;
    const streams = linksByNeed(this.#host.database, LINKS_MAX).map(viewOfLink);
    const status = hasFailed && wake?.phase === "sending" ? "failed" : "active";
    const id = this.#host.name.slice(this.#host.name.indexOf("/") + 1);
    const proof = subscription.proof === undefined ? {} : { proof: viewOfProof(subscription.proof) };
    return { ok: true, subscription: { id, ...config, streams, createdAtMs, status, kid, controlUrl, ...proof } };
  }

  async deliveries(): Promise<Result<DeliveryReport>> {
    const subscription = this.#record.subscription();
    if (subscription === undefined) return refuseNoSubscription();
    const { attempts, wake } = this.#record.progress();
    const nextAttemptAtMs = wake?.phase === "sending" ? wake.nextAttemptAtMs : null;
    const isLimited = (wake?.putOff ?? 0) > 0 && subscription.proof?.provenAtMs !== null;
    return { ok: true, attempts, nextAttemptAtMs, isLimited, deadLetter: subscription.config.deadLetter };
  }

  addStreams(streams: readonly string[]): Promise<Result<object>> {
    return this.#membership.addStreams(streams);
  }

  removeStream(stream: string): Promise<Result<object>> {
    return this.#membership.removeStream(stream);
  }

  remove(): Promise<void> {
    return this.#membership.remove();
  }

  async notify(notification: StreamNotification): Promise<boolean> {
    const isWanted = this.#steps.run((subscription) => subscription !== undefined && this.#links.notify(notification));
    await this.#host.sync();
    return isWanted;
  }

  async discover(change: StreamChange): Promise<void> {
    this.#steps.run((subscription) => {
      if (subscription === undefined) return;
      const { pattern, wakeStream, deadLetter } = subscription.config;
      // What the subscription writes itself must not wake it.
      const isOwn = change.stream === wakeStream || change.stream === deadLetter?.stream;
      const { createdAtMs } = subscription;
      const hasCapacity = this.#links.discover(change, isOwn ? null : pattern, createdAtMs, this.#steps.isAwake());
      if (!hasCapacity) this.#host.report("A subscription matches more streams than the limit allows.", change.stream);
    });
    await this.#host.sync();
  }

  claim(worker: string): Promise<Result<ClaimResult>> {
    return this.#leases.claim(worker);
  }

  ack(command: AckCommand): Promise<Result<AckResult>> {
    return this.#leases.ack(command);
  }

  release(command: WakeCommand): Promise<Result<object>> {
    return this.#leases.release(command);
  }

  /** Does what is due. */
  alarm(): Promise<void> {
    return this.#alarms.fire();
  }

  #addPurposes(): void {
    const purpose = { retryMs: RETRY_MS };
    this.#alarms.add({
      ...purpose,
      name: "end the lease",
      dueAtMs: () => this.#steps.leaseDueAtMs(),
      run: () => this.#steps.run(() => undefined),
    });
    this.#alarms.add({
      ...purpose,
      name: "notify the directory",
      dueAtMs: () => this.#membership.dueAtMs(),
      run: () => this.#membership.goOn(),
    });
    this.#alarms.add({
      ...purpose,
      name: "ask streams",
      dueAtMs: () => (this.#record.exists() ? nextAskMs(this.#host.database) : undefined),
      run: async () => {
        const asked = await this.#links.askDue(STREAMS_PER_ALARM, () => this.#steps.isAwake());
        this.#steps.run(() => undefined);
        return asked > 0 ? "more" : undefined;
      },
    });
    this.#alarms.add({
      ...purpose,
      name: "challenge the webhook",
      dueAtMs: () => this.#proofs.dueAtMs(),
      run: () => this.#proofs.proveDue(),
    });
    this.#alarms.add({
      ...purpose,
      name: "deliver the wake",
      dueAtMs: () => this.#deliveries.dueAtMs(),
      run: async () => ((await this.#deliveries.attemptDue()) ? "more" : undefined),
    });
  }
}
