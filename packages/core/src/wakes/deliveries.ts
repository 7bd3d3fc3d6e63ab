/** Delivers the wake that is due, and records the outcome [PROTOCOL §7.1, §7.2]. */

import type { WakeSubscriptionHost } from "./host.ts";
import type { Permits } from "./permits.ts";
import { demandProof } from "./proofs.ts";
import type { Outcome, Sender } from "./sender.ts";
import type { Steps } from "./steps.ts";
import type { StoredSubscription } from "./stored-subscription.ts";
import type { SubscriptionRecord } from "./subscription-record.ts";
import {
  firstPending,
  linksByNeed,
  readLink,
  updateAcked,
  viewOfLink,
  type WakeRow,
} from "./tables/subscription-rows.ts";
import { backoffMs, beginAttempt, lease, putOff, WAKE_STREAMS_MAX, withAttempt, withMoved } from "./wake-states.ts";

export class Deliveries {
  readonly #host: WakeSubscriptionHost;
  readonly #record: StoredSubscription;
  readonly #steps: Steps;
  readonly #sender: Sender;

  readonly #permits: Permits;

  constructor(host: WakeSubscriptionHost, record: StoredSubscription, steps: Steps, sender: Sender, permits: Permits) {
    this.#host = host;
    this.#record = record;
    this.#steps = steps;
    this.#sender = sender;
    this.#permits = permits;
  }

  /** When the next attempt is due, in ms. */
  dueAtMs(): number | undefined {
    const { wake } = this.#record.progress();
    return wake?.phase === "sending" ? wake.nextAttemptAtMs : undefined;
  }

  /** Makes the attempt that is due now, if one is. @returns whether it has made one. */
  async attemptDue(): Promise<boolean> {
    const subscription = this.#steps.run((known) => {
      if (known === undefined) return undefined;
      this.#steps.advance();
      return this.#isDue() ? known : undefined;
    });
    if (subscription === undefined || !(await this.#isPermitted(subscription))) return false;
    // Meanwhile much may have happened.
    const due = this.#steps.run((known) => (known?.secret === subscription.secret ? this.#begin(known) : undefined));
    if (due !== undefined) await this.#deliver(due.subscription, due.wake);
    return due !== undefined;
  }

  #isDue(): boolean {
    return (this.dueAtMs() ?? Infinity) <= this.#host.now();
  }

  /** Whether the wake may be sent now; otherwise it is put off. A wake that is written into a stream may. */
  async #isPermitted({ config, secret }: SubscriptionRecord): Promise<boolean> {
    if (config.webhookUrl === null) return true;
    const permit = await this.#permits.take(config.webhookUrl);
    return this.#steps.run((subscription) => {
      if (subscription?.secret !== secret) return false;
      const isDemanded = permit.isGranted && (permit.mustProve ?? subscription.proof !== undefined);
      const needsProof = isDemanded && (subscription.proof?.provenAtMs ?? null) === null;
      if (permit.isGranted && !needsProof) return true;
      const nowMs = this.#host.now();
      if (needsProof && subscription.proof === undefined)
        this.#record.update({ ...subscription, proof: demandProof(nowMs) });
      const progress = this.#record.progress();
      if (progress.wake?.phase !== "sending") return false;
      const waitMs = permit.isGranted ? (subscription.proof?.nextAtMs ?? nowMs) - nowMs : permit.waitMs;
      this.#record.writeProgress({ ...progress, wake: putOff(progress.wake, waitMs, nowMs, this.#host.random()) });
      return false;
    });
  }

  /** The wake that is to be delivered now, as it is written down for it. */
  #begin(subscription: SubscriptionRecord): { subscription: SubscriptionRecord; wake: WakeRow } | undefined {
    const progress = this.#record.progress();
    const { wake } = progress;
    const nowMs = this.#host.now();
    if (wake === null || !this.#isDue()) return undefined;
    // Its streams may have gone meanwhile.
    if (firstPending(this.#host.database) === undefined) {
      this.#steps.end(progress);
      return undefined;
    }
    const { type, leaseTtlMs } = subscription.config;
    const told = type === "webhook" ? linksByNeed(this.#host.database, WAKE_STREAMS_MAX) : [];
    const snapshot = told.filter(({ acked, tail }) => tail > acked).map(({ path, tail }) => [path, tail] as const);
    const begun = beginAttempt(wake, snapshot, leaseTtlMs, { nowMs, random: this.#host.random() });
    this.#record.writeProgress({ ...progress, wake: begun });
    return { subscription, wake: begun };
  }

  async #deliver(subscription: SubscriptionRecord, wake: WakeRow): Promise<void> {
    const streams = linksByNeed(this.#host.database, WAKE_STREAMS_MAX).map(viewOfLink);
    const first = firstPending(this.#host.database) ?? "";
    await this.#host.sync();
    const isWebhook = subscription.config.type === "webhook";
    const outcome = isWebhook
      ? await this.#sender.sendWebhook(subscription, wake, streams)
      : await this.#sender.writeWake(subscription, wake, first);
    const { deadLetter } = subscription.config;
    const isHopeless = outcome.kind === "failed" && deadLetter !== null && wake.attempts >= deadLetter.maxAttempts;
    this.#steps.run(() => this.#settle(subscription, wake, outcome));
    if (!isHopeless || !this.#isSending(wake)) return;
    const buried = await this.#sender.writeDeadLetter(deadLetter.stream, wake, streams, outcome.error);
    if (buried.kind === "accepted") this.#steps.run(() => this.#isSending(wake) && this.#finish(wake));
  }

  #isSending({ id }: WakeRow): boolean {
    const { wake } = this.#record.progress();
    return wake?.id === id && wake.phase === "sending";
  }

  /** What came of a delivery. A callback may have come first: then the wake has gone on, or is over. */
  #settle({ config }: SubscriptionRecord, { id, generation }: WakeRow, { kind, status, error }: Outcome): void {
    const nowMs = this.#host.now();
    const attempt = { wakeId: id, generation, atMs: nowMs, status, error };
    const progress = withAttempt(this.#record.progress(), attempt);
    const { wake } = progress;
    if (wake?.id !== id) return this.#record.writeProgress(progress);
    if (kind === "done") {
      this.#record.writeProgress(progress);
      return this.#finish(wake);
    }
    if (wake.phase !== "sending") return this.#record.writeProgress(progress);
    if (kind === "failed") {
      const nextAttemptAtMs = nowMs + backoffMs(wake.attempts, this.#host.random());
      return this.#record.writeProgress({ ...progress, hasFailed: true, wake: { ...wake, nextAttemptAtMs } });
    }
    const next =
      config.type === "webhook" ? lease(wake, config.leaseTtlMs, nowMs) : { ...wake, phase: "sent" as const };
    this.#record.writeProgress({ ...progress, hasFailed: false, wake: next });
  }

  /** Everything that the wake listed is dealt with. */
  #finish({ snapshot }: WakeRow): void {
    let hasMoved = false;
    for (const [path, tail] of snapshot) {
      const row = readLink(this.#host.database, path);
      // Of a stream that was created again nothing has been listed.
      if (row === undefined || row.incarnation === null || tail > row.tail) continue;
      hasMoved ||= tail > row.acked;
      updateAcked(this.#host.database, path, tail);
    }
    this.#steps.end(withMoved(this.#record.progress(), hasMoved));
  }
}
