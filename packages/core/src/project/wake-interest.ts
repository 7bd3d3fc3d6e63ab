/**
 * Connects a project's subscriptions with its streams: tells a subscription which streams match it, and notifies it of new
 * ones.
 */

import { literalPrefix, matchesGlob, refuse, type Result } from "@durable-streams-cloudflare/protocol";

import type { SubscriptionPage } from "../contracts/project.ts";
import type { SubscriptionNotifyApi, Interest, MatchedStreams, StreamChange } from "../contracts/wakes.ts";
import type { Database } from "../kit/database.ts";
import { mapConcurrent } from "../kit/map-concurrent.ts";
import { listStreams } from "./tables/directory-rows.ts";
import {
  consumersNaming,
  consumerCreatedAtMs,
  countConsumers,
  deleteChange,
  deleteConsumer,
  deleteConsumerStreams,
  hasChange,
  insertChange,
  listConsumers,
  writeConsumer,
} from "./tables/interest-rows.ts";

/** Each pattern is compared with each new stream. */
const CONSUMERS_MAX = 1_000;
/** Subscriptions that are notified at once. */
const CALLS_MAX = 16;
/** Streams that one answer looks at. */
const STREAMS_PER_PAGE = 2_000;

export interface SubscriptionStub extends Pick<SubscriptionNotifyApi, "discover"> {
  remove(): Promise<void>;
}

export function registerConsumer(database: Database, id: string, interest: Interest): Result<object> {
  if (consumerCreatedAtMs(database, id) === undefined && countConsumers(database) >= CONSUMERS_MAX) {
    return refuse("subscriptions-full", `A project can have at most ${CONSUMERS_MAX} subscriptions.`);
  }
  // A call that took too long may arrive when the subscription was deleted and made anew.
  if (isOfLater(database, id, interest.createdAtMs)) return { ok: true };
  database.transaction(() => writeConsumer(database, id, interest));
  return { ok: true };
}

export function forgetStreams(
  database: Database,
  id: string,
  streams: readonly string[],
  createdAtMs = Infinity,
): void {
  if (isOfLater(database, id, createdAtMs)) return;
  database.transaction(() => deleteConsumerStreams(database, id, streams));
}

export function forgetConsumer(database: Database, id: string, createdAtMs = Infinity): void {
  if (isOfLater(database, id, createdAtMs)) return;
  database.transaction(() => deleteConsumer(database, id));
}

/** Whether the subscription of that id is one that was made later. */
function isOfLater(database: Database, id: string, createdAtMs: number): boolean {
  return (consumerCreatedAtMs(database, id) ?? 0) > createdAtMs;
}

export function listSubscriptions(database: Database, after: string, limit: number): SubscriptionPage {
  const rows = listConsumers(database, after, limit + 1);
  const subscriptions = rows.slice(0, limit);
  return { subscriptions, cursor: rows.length > limit ? (subscriptions.at(-1)?.id ?? null) : null };
}

/** The streams that match a pattern, among some of those after a name. */
export function matchStreams(database: Database, pattern: string, after: string): MatchedStreams {
  const names = listStreams(database, literalPrefix(pattern), after, STREAMS_PER_PAGE).map(({ name }) => name);
  const cursor = names.length < STREAMS_PER_PAGE ? null : (names.at(-1) ?? null);
  return { streams: names.filter((name) => matchesGlob(pattern, name)), cursor };
}

/**
 * Notifies all subscriptions that may want to know of a change of the directory.
 * @param isNew whether the directory itself did not know it: what it knew has been sent, unless that failed.
 * @throws when one of them could not be notified: the stream then sends its notice again.
 */
export async function notifySubscriptions(
  database: Database,
  change: StreamChange,
  isNew: boolean,
  subscription: (id: string) => SubscriptionStub,
): Promise<void> {
  const matching = listConsumers(database, "", CONSUMERS_MAX)
    .filter(({ pattern }) => pattern !== null && matchesGlob(pattern, change.stream))
    .map(({ id }) => id);
  const ids = new Set([...matching, ...consumersNaming(database, change.stream, CONSUMERS_MAX)]);
  if (ids.size === 0) return;
  if (isNew) insertChange(database, change);
  else if (!hasChange(database, change)) return;
  await mapConcurrent([...ids], CALLS_MAX, (id) => subscription(id).discover(change));
  deleteChange(database, change);
}

/** Removes subscriptions of a project that was removed itself, some of them. */
export async function removeConsumers(
  database: Database,
  limit: number,
  subscription: (id: string) => SubscriptionStub,
): Promise<void> {
  const rows = listConsumers(database, "", limit);
  await Promise.allSettled(
    rows.map(async ({ id }) => {
      await subscription(id).remove();
      forgetConsumer(database, id);
    }),
  );
}
