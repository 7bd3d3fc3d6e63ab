/**
 * Runs each change of a subscription as one transaction. The transaction first ends a lease that has expired, then makes the
 * change, and at last issues a wake if something is new and no wake exists. Every deadline is stored, and the alarm is set for
 * it.
 */

import type { Alarms } from "../kit/alarms.ts";
import type { WakeSubscriptionHost } from "./host.ts";
import type { StoredSubscription } from "./stored-subscription.ts";
import type { SubscriptionRecord } from "./subscription-record.ts";
import { deleteOrphans, firstPending, type WakeProgress } from "./tables/subscription-rows.ts";
import { endWake, isExpired, issueWake } from "./wake-states.ts";

export class Steps {
  readonly #host: WakeSubscriptionHost;
  readonly #record: StoredSubscription;
  readonly #alarms: Alarms;

  constructor(host: WakeSubscriptionHost, record: StoredSubscription, alarms: Alarms) {
    this.#host = host;
    this.#record = record;
    this.#alarms = alarms;
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
    this.#alarms.arm();
    return answer;
  }

  isAwake(): boolean {
    return this.#record.progress().wake !== null;
  }

  /** The wake is over. What was kept for its acknowledgements goes. */
  end(progress: WakeProgress): void {
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

  /** When the lease ends unless it is renewed, in ms. */
  leaseDueAtMs(): number | undefined {
    const { wake } = this.#record.progress();
    return wake?.phase === "leased" ? wake.leaseUntilMs : undefined;
  }

  /** Ends a lease whose time is over. */
  #expire(): void {
    const progress = this.#record.progress();
    if (progress.wake !== null && isExpired(progress.wake, this.#host.now())) this.end(progress);
  }
}
