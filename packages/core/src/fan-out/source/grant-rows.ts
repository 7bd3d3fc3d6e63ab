/**
 * Queries about the links of a source as grants (see `link-rows.ts`): who holds them, when they expire, and how they are
 * revoked.
 */

import type { FollowerFilter, LinkEnd } from "../../contracts/fan-out.ts";
import type { Grant } from "../../contracts/grant.ts";
import { firstRow, type Database } from "../../kit/database.ts";
import type { Statement } from "../../kit/sql/statement.ts";
import type { Row, SqlValue } from "../../kit/sql/value.ts";
import { LINK_COLUMNS, toLink, type LinkRow, type SourceRow } from "./link-rows.ts";
import { linkKeysTable, linksTable } from "./tables.ts";

const GOING_ON = linksTable.select(LINK_COLUMNS, {
  where: "session > ? AND until IS NULL AND ended IS NULL",
  orderBy: "session, link",
  limit: "?",
});
const NEXT_EXPIRY = linksTable.compute<{ expires_at_ms: number }>("expires_at_ms", {
  where: "expires_at_ms IS NOT NULL AND ended IS NULL",
  orderBy: "expires_at_ms",
  limit: "1",
});
const EXPIRED = endOf("expires_at_ms IS NOT NULL AND expires_at_ms <= ?");
const OF_SESSION = endOf("session = ?");
const OF_KEY = endOf("kid = ?");
const OF_USER = endOf("user = ?");

const READ_KEY = linkKeysTable.select(["ended"], { where: "kid = ?" });
const REPLACE_KEY = linkKeysTable.replace(["kid", "ended"]);
const DELETE_KEYS = linkKeysTable.delete();
const HAS_KEYS = linkKeysTable.exists();

/** Counts links and ends them, those that one value says. */
interface EndOfLinks {
  readonly count: Statement<{ count: number }>;
  readonly end: Statement<Row, readonly SqlValue[]>;
}

function endOf(condition: string): EndOfLinks {
  const where = `ended IS NULL AND ${condition}`;
  return {
    count: linksTable.compute("count(*) AS count", { where }),
    end: linksTable.update(
      `ended = ?, failures = 0, retry_at_ms = 0,
       position = coalesce(position, max(start, CASE WHEN session <= ? THEN ? ELSE ? END))`,
      where,
    ),
  };
}

/** Links that go on, in the order of their sessions. */
export function listLinks(database: Database, after: string, limit: number): LinkRow[] {
  return database.all(GOING_ON, after, limit).map(toLink);
}

/** When the next of them ends by itself, in ms. */
export function nextExpiryMs(database: Database): number | undefined {
  return firstRow(database, NEXT_EXPIRY)?.expires_at_ms;
}

/** Ends those whose time is over, wherever their sessions have got to. */
export function endExpired(database: Database, source: SourceRow, nowMs: number): void {
  if ((nextExpiryMs(database) ?? Infinity) > nowMs) return;
  endLinks(database, source, "expired", EXPIRED, nowMs);
}

/** @returns how many links have ended by this. */
export function endMatching(database: Database, source: SourceRow, filter: FollowerFilter): number {
  if ("session" in filter) return endLinks(database, source, "revoked", OF_SESSION, filter.session);
  if ("kid" in filter) return endLinks(database, source, "revoked", OF_KEY, filter.kid);
  return endLinks(database, source, "revoked", OF_USER, filter.user);
}

/** What a key's links are made with; `undefined`: nothing yet. */
export function readLinkKey(database: Database, kid: string): { readonly isEnded: boolean } | undefined {
  const row = firstRow(database, READ_KEY, kid);
  return row && { isEnded: row.ended === 1 };
}

export function writeLinkKey(database: Database, { kid }: { readonly kid: string }, isEnded: boolean): void {
  database.run(REPLACE_KEY, kid, isEnded ? 1 : 0);
}

/** The followings that keys were noted for are over. */
export function deleteLinkKeysHere(database: Database): void {
  database.run(DELETE_KEYS);
}

export function hasLinkKeysHere(database: Database): boolean {
  return firstRow(database, HAS_KEYS) !== undefined;
}

export function isExpired({ expiresAtMs }: Pick<Grant, "expiresAtMs">, nowMs: number): boolean {
  return expiresAtMs !== null && expiresAtMs <= nowMs;
}

/** A link that has ended is served by itself: its session is notified, and the link is deleted. */
function endLinks(
  database: Database,
  { position, pass }: SourceRow,
  why: LinkEnd,
  { count: counting, end }: EndOfLinks,
  value: string | number,
): number {
  const count = firstRow(database, counting, value);
  if (count === undefined || count.count === 0) return 0;
  database.run(end, why, pass?.after ?? "", pass?.to ?? position, position, value);
  return count.count;
}
