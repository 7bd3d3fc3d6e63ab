/** The requests of workers about a wake: claim it, acknowledge what was read, release it [PROTOCOL §7.2, §7.3]. */

import { parseOffset, refuse, ZERO_OFFSET, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import type { AckCommand, AckResult, ClaimResult, WakeCommand } from "../contracts/wakes.ts";
import type { WakeSubscriptionHost } from "./host.ts";
import type { Links } from "./links.ts";
import { refuseNoSubscription } from "./refusals.ts";
import type { Steps } from "./steps.ts";
import type { StoredSubscription } from "./stored-subscription.ts";
import type { SubscriptionRecord } from "./subscription-record.ts";
import {
  firstPending,
  linksByNeed,
  linksGrownLast,
  readLink,
  updateAcked,
  viewOfLink,
  type WakeProgress,
  type LinkRow,
  type WakeRow,
} from "./tables/subscription-rows.ts";
import { refuseWakeToken, signWakeToken, verifyWakeToken } from "./tokens.ts";
import { claimWake, lease, refuseFenced, WAKE_STREAMS_MAX, withMoved } from "./wake-states.ts";

/** Streams that a worker's claim asks whether there is anything, when none has notified. */
const CLAIM_STREAMS_MAX = 32;

export class Leases {
  readonly #host: WakeSubscriptionHost;
  readonly #record: StoredSubscription;
  readonly #links: Links;
  readonly #steps: Steps;

  constructor(host: WakeSubscriptionHost, record: StoredSubscription, links: Links, steps: Steps) {
    this.#host = host;
    this.#record = record;
    this.#links = links;
    this.#steps = steps;
  }

  async claim(worker: string): Promise<Result<ClaimResult>> {
    const first = this.#steps.run((subscription) => this.#take(subscription, worker));
    const claimed = first.ok || first.problem.code !== "subscription-idle" ? first : await this.#lookAndTake(worker);
    if (!claimed.ok) return claimed;
    const { subscription, wake } = claimed;
    const streams = linksByNeed(this.#host.database, WAKE_STREAMS_MAX).map(viewOfLink);
    const token = await signWakeToken(this.#host.name, subscription.secret, wake);
    await this.#host.sync();
    const { leaseTtlMs } = subscription.config;
    return { ok: true, wakeId: wake.id, generation: wake.generation, token, streams, leaseTtlMs };
  }

  async ack(command: AckCommand): Promise<Result<AckResult>> {
    const verified = await this.#verify(command);
    if (!verified.ok) return verified;
    await this.#hear(command);
    const acked = this.#steps.run((subscription) => {
      const { progress, refusal } = this.#fence(subscription, verified, command);
      if (refusal !== undefined) return refusal;
      return this.#apply(verified.subscription, progress, command);
    });
    const nextWake = command.done && this.#steps.isAwake();
    await this.#host.sync();
    return acked.ok ? { ok: true, nextWake } : acked;
  }

  async release(command: WakeCommand): Promise<Result<object>> {
    const verified = await this.#verify(command);
    if (!verified.ok) return verified;
    const released = this.#steps.run((subscription): Result<object> => {
      const { progress, refusal } = this.#fence(subscription, verified, command);
      if (refusal !== undefined) return refusal;
      this.#steps.end(progress);
      return { ok: true };
    });
    await this.#host.sync();
    return released;
  }

  /** Takes the wake for a worker. */
  #take(
    subscription: SubscriptionRecord | undefined,
    worker: string,
  ): Result<{ subscription: SubscriptionRecord; wake: WakeRow }> {
    if (subscription === undefined) return refuseNoSubscription();
    const { type, leaseTtlMs } = subscription.config;
    if (type !== "pull-wake") return refuseWay();
    this.#steps.advance();
    const progress = this.#record.progress();
    const { wake } = progress;
    if (wake?.phase === "leased") return refuseClaimed(wake);
    const isPending = firstPending(this.#host.database) !== undefined;
    if (wake !== null && !isPending) this.#steps.end(progress);
    if (wake === null || !isPending) return refuse("subscription-idle", "No stream of the subscription has new data.");
    const claimed = claimWake(wake, worker, leaseTtlMs, this.#host.now());
    this.#record.writeProgress({ ...progress, hasFailed: false, wake: claimed });
    return { ok: true, subscription, wake: claimed };
  }

  /** The word of a stream may still be on its way. */
  async #lookAndTake(worker: string): Promise<Result<{ subscription: SubscriptionRecord; wake: WakeRow }>> {
    await this.#links.askDue(CLAIM_STREAMS_MAX, () => this.#steps.isAwake());
    await this.#links.refresh(linksGrownLast(this.#host.database, CLAIM_STREAMS_MAX), () => this.#steps.isAwake());
    return this.#steps.run((subscription) => this.#take(subscription, worker));
  }

  async #verify({ via, token }: WakeCommand) {
    const subscription = this.#record.subscription();
    const secret = subscription?.secret ?? this.#record.tombstone()?.secret;
    // As a bad token of one that is there: whether it is, or what it is, is not to be found out by trying.
    if (secret === undefined) return refuseWakeToken();
    const verified = await verifyWakeToken(this.#host.name, secret, token, this.#host.now());
    if (!verified.ok) return verified;
    if (subscription === undefined) return refuseNoSubscription();
    return via === subscription.config.type ? { ...verified, subscription } : refuseWay();
  }

  /** The worker may have read what its stream has not notified of yet. */
  async #hear({ acks }: AckCommand): Promise<void> {
    const unheard = acks.flatMap(({ stream, offset }) => {
      const row = readLink(this.#host.database, stream);
      return row !== undefined && row.incarnation !== null && offset > row.tail ? [row] : [];
    });
    await this.#links.refresh(unheard, () => this.#steps.isAwake());
  }

  #fence(
    subscription: SubscriptionRecord | undefined,
    verified: { readonly subscription: SubscriptionRecord; readonly claims: Parameters<typeof refuseFenced>[1] },
    command: WakeCommand,
  ): { progress: WakeProgress; refusal: Refusal | undefined } {
    const progress = this.#record.progress();
    // It may have been deleted while the token was verified, and even made again.
    const refusal =
      subscription?.secret === verified.subscription.secret
        ? refuseFenced(progress, verified.claims, command)
        : refuseNoSubscription();
    return { progress, refusal };
  }

  /** All acknowledgements, or none. */
  #apply({ config }: SubscriptionRecord, progress: WakeProgress, { acks, done }: AckCommand): Result<object> {
    const { database } = this.#host;
    const cursors = new Map<string, string>();
    for (const { stream, offset } of acks) {
      const row = readLink(database, stream);
      if (row === undefined) return refuseAck(`${stream} is not a stream of this subscription.`);
      const judged = judgeAck(row, offset);
      if (!judged.ok) return judged;
      if (judged.moves) cursors.set(stream, max(offset, cursors.get(stream)));
    }
    for (const [stream, offset] of cursors) updateAcked(database, stream, offset);
    const reached = withMoved(progress, cursors.size > 0);
    if (done) this.#steps.end(reached);
    else if (reached.wake !== null) {
      const wake = lease(reached.wake, config.leaseTtlMs, this.#host.now());
      this.#record.writeProgress({ ...reached, hasFailed: false, wake });
    }
    return { ok: true };
  }
}

/**
 * Whether an acknowledgement moves the cursor. What a claim has listed is always taken: meanwhile the stream may have notified
 * for the first time where it begins, have been acknowledged further, or have ended and begun anew. A cursor never goes back.
 */
function judgeAck(row: LinkRow, offset: string): Result<{ moves: boolean }> {
  const parsed = parseOffset(offset);
  const incarnation = parsed?.kind === "at" ? parsed.incarnation : offset === ZERO_OFFSET ? 0 : undefined;
  if (incarnation === undefined) return refuseAck(`${offset} is not an offset.`);
  if (row.incarnation === null || offset <= row.acked) return { ok: true, moves: false };
  if (offset <= row.tail) return { ok: true, moves: true };
  return incarnation < row.incarnation ? { ok: true, moves: false } : refuseAck(`${row.path} ends at ${row.tail}.`);
}

function max(offset: string, other: string | undefined): string {
  return other === undefined || offset > other ? offset : other;
}

function refuseWay(): Refusal {
  return refuse(
    "subscription-invalid",
    "A subscription of type webhook supports callback; one of type pull-wake supports claim, ack and release.",
  );
}

function refuseAck(detail: string): Refusal {
  return refuse("ack-invalid", detail, {
    hint: "Correct the offset and send the request again: nothing in it was acknowledged.",
  });
}

function refuseClaimed({ holder, generation }: WakeRow): Refusal {
  const { problem } = refuse("subscription-claimed", "Another worker holds the lease.");
  return { ok: false, problem: { ...problem, lease: { holder: holder ?? "", generation } } };
}
