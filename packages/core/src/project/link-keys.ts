/**
 * Records which streams have links that were created with which of the project's keys. The links themselves are stored in the
 * followers' objects; with these records a secret can be removed together with every link that was created with it.
 */

import type { LinkKeyNote, FollowerSetApi } from "../contracts/fan-out.ts";
import type { Database } from "../kit/database.ts";
import {
  deleteLinkKey,
  deleteLinkKeys,
  insertLinkKey,
  isEndedKey,
  nextEndedKey,
  sourcesOfKey,
  updateEndedKey,
} from "./tables/link-key-rows.ts";

/** Streams whose links are ended before the alarm fires again. */
const SOURCES_PER_ALARM = 50;

/** The part of a followers' object that ends links. */
export type FollowersStub = Pick<FollowerSetApi, "endLinks">;

/** Records a key that makes links. @returns whether it may. */
export function noteLinkKey(database: Database, { kid, source, token }: LinkKeyNote): boolean {
  if (isEndedKey(database, kid)) return false;
  database.transaction(() => insertLinkKey(database, { kid, source }, token));
  return true;
}

export function forgetLinkKeys(database: Database, source: string, token: number): void {
  deleteLinkKeys(database, source, token);
}

/** Whether there are links of ended keys. */
export function hasLinksToEnd(database: Database): boolean {
  return nextEndedKey(database) !== undefined;
}

/**
 * Ends some of them. What fails is tried again by the alarm; ending twice does no harm.
 * @returns whether there is more to do at once.
 */
export async function endLinksOfKeys(
  database: Database,
  followersOf: (source: string) => FollowersStub,
): Promise<boolean> {
  const next = nextEndedKey(database);
  if (next === undefined) return false;
  const { kid, after } = next;
  const sources = sourcesOfKey(database, kid, after, SOURCES_PER_ALARM);
  const outcomes = await Promise.allSettled(
    sources.map(async (source) => {
      await followersOf(source).endLinks({ kid });
      deleteLinkKey(database, { source, kid });
    }),
  );
  if (outcomes.some(({ status }) => status === "rejected")) return false;
  updateEndedKey(database, kid, sources.length < SOURCES_PER_ALARM ? null : (sources.at(-1) ?? null));
  return hasLinksToEnd(database);
}
