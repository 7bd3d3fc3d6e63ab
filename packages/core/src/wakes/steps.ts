/**
 * The steps in which a subscription moves on. Each is one transaction between two waits, which first ends a lease whose time
 * is over, and at its end issues a wake if there is something new and none. Whatever waits for a time is written down, and
 * the alarm is set for it.
 */

import type { ConsumerHost } from "./host.ts";
import type { ConsumerRecord } from "./record.ts";
import type { SubscriptionRecord } from "./subscription-record.ts";
import { deleteOrphans, firstPending, nextAskMs, type ConsumerProgress } from "./tables/subscription-rows.ts";
import { endWake, isExpired, issueWake } from "./wakes.ts";

/** A turn that broke off is repeated after this long. */
const RETRY_MS = 5_000;

export class Steps {
  readonly #host: ConsumerHost;
  readonly #record: ConsumerRecord;
  readonly #otherDueAtMs: () => readonly (number | undefined)[];
  /** When the alarm is set to ring, in ms; `null`: it is not; `undefined`: not known since a restart. */
  #alarmAtMs: number | null | undefined;

  /** @param otherDueAtMs when the alarm is wanted for what is neither a wake nor a link, in ms. */
  constructor(host: ConsumerHost, record: ConsumerRecord, otherDueAtMs: () => readonly (number | undefined)[]) {
    this.#host = host;
    this.#record = record;
    this.#otherDueAtMs = otherDueAtMs;
  }

  /** One step: a transaction that leaves everything as it must be. */
  run<Answer>(
    work: (subscription: SubscriptionRecord | undefined) => Answer extends Promise<unknown> ? never : Answer,
  ): Answer {
    const answer = this.#host.database.transaction(() => {
      const subscription = this.#record.subscription();
      if (subscription !== undefined) this.#expire();
      const result = work(subscription);
      if (this.#record.subscription() !== undefined) this.advance();
      return result;
    });
    this.#arm();
    return answer;
  }

  isAwake(): boolean {
    return this.#record.progress().wake !== null;
  }

  /** The wake is over. What was kept for its acknowledgements goes. */
  end(progress: ConsumerProgress): void {
    deleteOrphans(this.#host.database);
    this.#record.writeProgress(endWake(progress, firstPending(this.#host.database) !== undefined));
  }

  /** Issues a wake, if there is something new and none. */
  advance(): void {
    const progress = this.#record.progress();
    if (progress.wake !== null || firstPending(this.#host.database) === undefined) return;
    this.#record.writeProgress(
      issueWake(progress, `w_${this.#host.newId()}`, { nowMs: this.#host.now(), random: this.#host.random() }),
    );
  }

  /** The alarm fires again, should what is done now break off. */
  guard(): void {
    this.#alarmAtMs = this.#host.now() + RETRY_MS;
    this.#host.setAlarm(this.#alarmAtMs);
  }

  /** Ends a lease whose time is over. */
  #expire(): void {
    const progress = this.#record.progress();
    if (progress.wake !== null && isExpired(progress.wake, this.#host.now())) this.end(progress);
  }

  /** Sets the alarm for whatever comes first. */
  #arm(): void {
    if (!this.#record.exists()) return;
    const now = this.#host.now();
    const { wake } = this.#record.progress();
    const times = [...this.#otherDueAtMs(), nextAskMs(this.#host.database)];
    if (wake?.phase === "sending") times.push(wake.nextAttemptAtMs);
    if (wake?.phase === "leased") times.push(wake.leaseUntilMs);
    const known = times.filter((time) => time !== undefined);
    const atMs = known.length === 0 ? null : Math.max(now, Math.min(...known));
    // To set an alarm is to write a row.
    if (atMs === this.#alarmAtMs) return;
    this.#alarmAtMs = atMs;
    if (atMs === null) this.#host.clearAlarm();
    else this.#host.setAlarm(atMs);
  }
}
