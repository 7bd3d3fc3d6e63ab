/**
 * Proves that a webhook's URL wants to receive wakes, where the project demands it: the URL is sent a challenge and must return
 * it. Until it has, it is sent nothing but challenges, ever less often. One successful proof is enough.
 */

import type { ProofView } from "../contracts/wakes.ts";
import type { WakeSubscriptionHost } from "./host.ts";
import type { Permits } from "./permits.ts";
import type { Sender } from "./sender.ts";
import type { Steps } from "./steps.ts";
import type { StoredSubscription } from "./stored-subscription.ts";
import type { SubscriptionRecord, Proof } from "./subscription-record.ts";
import { backoffMs } from "./wake-states.ts";

/** A URL that never answers is challenged this often in the end. */
const BACKOFF_MS_MAX = 3_600_000;

export class Proofs {
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

  /** When the next challenge is to be sent, in ms. */
  dueAtMs(): number | undefined {
    const proof = this.#record.subscription()?.proof;
    return proof?.provenAtMs === null ? proof.nextAtMs : undefined;
  }

  /** Sends the challenge that is due, if one is. */
  async proveDue(): Promise<void> {
    const nowMs = this.#host.now();
    if ((this.dueAtMs() ?? Infinity) > nowMs) return;
    // Written down first: should it be cut off, it counts as one that failed.
    const subscription = this.#steps.run((known) => {
      if (known?.proof === undefined) return undefined;
      const failures = known.proof.failures + 1;
      const nextAtMs = nowMs + backoffMs(failures, this.#host.random(), BACKOFF_MS_MAX);
      return this.#update(known, { ...known.proof, failures, nextAtMs });
    });
    if (subscription?.proof === undefined) return;
    const permit = await this.#permits.take(subscription.config.webhookUrl ?? "");
    if (!permit.isGranted) return;
    if (permit.mustProve === false) return this.#settle(subscription, undefined);
    await this.#host.sync();
    const { kind, error } = await this.#sender.sendChallenge(subscription);
    this.#settle(subscription, { ...subscription.proof, error, provenAtMs: kind === "done" ? this.#host.now() : null });
  }

  /**
   * What came of a challenge, unless another subscription has this name by now. `undefined`: nobody demands a proof any more.
   */
  #settle({ secret }: SubscriptionRecord, proof: Proof | undefined): void {
    this.#steps.run((known) => {
      if (known?.secret !== secret) return;
      this.#update(known, proof);
      if (proof === undefined || proof.provenAtMs !== null) this.#deliverNow();
    });
  }

  #deliverNow(): void {
    const progress = this.#record.progress();
    const { wake } = progress;
    if (wake?.phase !== "sending") return;
    this.#record.writeProgress({ ...progress, wake: { ...wake, nextAttemptAtMs: this.#host.now() } });
  }

  #update(subscription: SubscriptionRecord, proof: Proof | undefined): SubscriptionRecord {
    const { proof: _, ...rest } = subscription;
    const updated = proof === undefined ? rest : { ...rest, proof };
    this.#record.update(updated);
    return updated;
  }
}

/** A proof that is demanded, and that the next turn of the alarm asks for. */
export function demandProof(nowMs: number): Proof {
  return { provenAtMs: null, failures: 0, nextAtMs: nowMs, error: null };
}

export function viewOfProof({ provenAtMs, nextAtMs, error }: Proof): ProofView {
  return { isProven: provenAtMs !== null, nextAttemptAtMs: provenAtMs === null ? nextAtMs : null, error };
}
