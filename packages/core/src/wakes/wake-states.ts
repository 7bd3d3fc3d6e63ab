/**
 * The states of a subscription's wake, as pure functions from one state to the next [PROTOCOL §7]. There is at most one wake,
 * and each has a greater generation than the one before it.
 */

import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

import type { DeliveryAttempt, WakeCommand } from "../contracts/wakes.ts";
import type { WakeProgress, WakeRow } from "./tables/subscription-rows.ts";
import type { WakeClaims } from "./tokens.ts";

/** Streams that one wake speaks of; the others have their turn after it. */
export const WAKE_STREAMS_MAX = 1_000;
/** However often its lease is extended, a wake ends after this long: its token does not last for ever. */
const WAKE_MS_MAX = 86_400_000;
/** Attempts that are remembered. */
const ATTEMPTS_KEPT = 20;
const BACKOFF_MS_MIN = 1_000;
const BACKOFF_MS_MAX = 60_000;
const JITTER = 0.2;

export const NO_PROGRESS: WakeProgress = { generation: 0, wake: null, hasFailed: false, attempts: [] };

/**
 * [PROTOCOL §7.1]
 * @param tries how many have failed, from 1.
 * @param random at least 0, less than 1.
 */
export function backoffMs(tries: number, random: number, maxMs = BACKOFF_MS_MAX): number {
  const delay = Math.min(BACKOFF_MS_MIN * 2 ** Math.min(tries - 1, 16), maxMs);
  return Math.round(delay * (1 - JITTER + 2 * JITTER * random));
}

/**
 * How long a wake waits after so many in a row with which nothing was done: whoever takes wakes, and acknowledges nothing,
 * must not be sent them without an end. One worker may die without any delay.
 */
function paceMs(fruitless: number, random: number): number {
  return fruitless <= 1 ? 0 : backoffMs(fruitless - 1, random);
}

/** A wake for what is pending. A worker that claims it need not wait until it is delivered. */
export function issueWake(
  progress: WakeProgress,
  id: string,
  { nowMs, random }: { readonly nowMs: number; readonly random: number },
): WakeProgress {
  const generation = progress.generation + 1;
  const wake: WakeRow = {
    id,
    generation,
    phase: "sending",
    attempts: 0,
    nextAttemptAtMs: nowMs + paceMs(progress.fruitless ?? 0, random),
    leaseUntilMs: 0,
    endsAtMs: 0,
    holder: null,
    snapshot: [],
  };
  return { ...progress, generation, wake };
}

/** A delivery begins. Should it be cut off, it counts as one that failed. */
export function beginAttempt(
  wake: WakeRow,
  snapshot: WakeRow["snapshot"],
  leaseTtlMs: number,
  { nowMs, random }: { readonly nowMs: number; readonly random: number },
): WakeRow {
  const attempts = wake.attempts + 1;
  const nextAttemptAtMs = nowMs + backoffMs(attempts, random);
  return { ...wake, putOff: 0, attempts, nextAttemptAtMs, snapshot, endsAtMs: nowMs + WAKE_MS_MAX + leaseTtlMs };
}

/** There is no permit for the next delivery now. The more often in a row, the rarer it is asked for. */
export function putOff(wake: WakeRow, waitMs: number, nowMs: number, random: number): WakeRow {
  const times = (wake.putOff ?? 0) + 1;
  return { ...wake, putOff: times, nextAttemptAtMs: nowMs + Math.max(waitMs, 0) + backoffMs(times, random) };
}

/** A worker takes the wake. */
export function claimWake(wake: WakeRow, holder: string, leaseTtlMs: number, nowMs: number): WakeRow {
  return lease({ ...wake, holder, endsAtMs: nowMs + WAKE_MS_MAX + leaseTtlMs }, leaseTtlMs, nowMs);
}

/** The lease of a wake begins, or is extended. */
export function lease(wake: WakeRow, leaseTtlMs: number, nowMs: number): WakeRow {
  return { ...wake, phase: "leased", leaseUntilMs: Math.min(nowMs + leaseTtlMs, wake.endsAtMs) };
}

/** An acknowledgement may have moved a cursor. */
export function withMoved(progress: WakeProgress, hasMoved: boolean): WakeProgress {
  const { wake } = progress;
  return wake === null || !hasMoved ? progress : { ...progress, wake: { ...wake, hasMoved } };
}

/** The wake is over. @param isPending whether there is still something to do. */
export function endWake(progress: WakeProgress, isPending: boolean): WakeProgress {
  const isFruitless = isPending && progress.wake?.hasMoved !== true;
  return { ...progress, wake: null, hasFailed: false, fruitless: isFruitless ? (progress.fruitless ?? 0) + 1 : 0 };
}

export function isExpired({ phase, leaseUntilMs }: WakeRow, nowMs: number): boolean {
  return phase === "leased" && leaseUntilMs <= nowMs;
}

export function withAttempt(progress: WakeProgress, attempt: DeliveryAttempt): WakeProgress {
  return { ...progress, attempts: [attempt, ...progress.attempts].slice(0, ATTEMPTS_KEPT) };
}

/** Why a request does not speak of the wake that there is [PROTOCOL §7.3]; `undefined` when it does. */
export function refuseFenced(
  { wake }: WakeProgress,
  claims: WakeClaims,
  { wakeId, generation, via }: Pick<WakeCommand, "wakeId" | "generation" | "via">,
): Refusal | undefined {
  const isDelivered = wake !== null && (wake.phase === "leased" || (via === "webhook" && wake.attempts > 0));
  const isIt =
    isDelivered &&
    [claims.generation, generation].every((each) => each === wake.generation) &&
    [claims.wakeId, wakeId].every((each) => each === wake.id);
  return isIt
    ? undefined
    : refuse("subscription-fenced", "This wake has ended: its lease expired, or it was marked as done.");
}
