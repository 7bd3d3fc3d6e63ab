/** The links of a source as grants (see `link-rows.ts`): who has them, when they end, and how they are taken back. */

import type { FollowerFilter, LinkEnd } from "../../contracts/fan-out.ts";
import type { Grant } from "../../contracts/grant.ts";
import { firstRow, type Database } from "../../kit/database.ts";
import { LINK_COLUMNS, toLink, type LinkColumns, type LinkRow, type SourceRow } from "./link-rows.ts";

/** Links that go on, in the order of their sessions. */
export function listLinks(database: Database, after: string, limit: number): LinkRow[] {
  const sql = `SELECT ${LINK_COLUMNS} FROM links WHERE session > ? AND until IS NULL AND ended IS NULL
               ORDER BY session, link LIMIT ?`;
  return database.all<LinkColumns>(sql, after, limit).map(toLink);
}

/** When the next of them ends by itself, in ms. */
export function nextExpiryMs(database: Database): number | undefined {
  const sql = `SELECT expires_at_ms FROM links WHERE expires_at_ms IS NOT NULL AND ended IS NULL
               ORDER BY expires_at_ms LIMIT 1`;
  return firstRow<{ expires_at_ms: number }>(database, sql)?.expires_at_ms;
}

/** Ends those whose time is over, wherever their sessions have got to. */
export function endExpired(database: Database, source: SourceRow, nowMs: number): void {
  if ((nextExpiryMs(database) ?? Infinity) > nowMs) return;
  endWhere(database, source, "expired", "expires_at_ms IS NOT NULL AND expires_at_ms <= ?", nowMs);
}

/** @returns how many links have ended by this. */
export function endMatching(database: Database, source: SourceRow, filter: FollowerFilter): number {
  if ("session" in filter) return endWhere(database, source, "revoked", "session = ?", filter.session);
  if ("kid" in filter) return endWhere(database, source, "revoked", "kid = ?", filter.kid);
  return endWhere(database, source, "revoked", "user = ?", filter.user);
}

/** What a key's links are made with; `undefined`: nothing yet. */
export function readLinkKey(database: Database, kid: string): { readonly isEnded: boolean } | undefined {
  const row = firstRow<{ ended: number }>(database, "SELECT ended FROM link_keys WHERE kid = ?", kid);
  return row && { isEnded: row.ended === 1 };
}

export function writeLinkKey(database: Database, { kid }: { readonly kid: string }, isEnded: boolean): void {
  database.run("INSERT OR REPLACE INTO link_keys (kid, ended) VALUES (?, ?)", kid, isEnded ? 1 : 0);
}

/** The followings that keys were noted for are over. */
export function deleteLinkKeysHere(database: Database): void {
  database.run("DELETE FROM link_keys");
}

export function hasLinkKeysHere(database: Database): boolean {
  return firstRow(database, "SELECT 1 AS found FROM link_keys LIMIT 1") !== undefined;
}

export function isExpired({ expiresAtMs }: Pick<Grant, "expiresAtMs">, nowMs: number): boolean {
  return expiresAtMs !== null && expiresAtMs <= nowMs;
}

/** A link that has ended is served by itself: its session is told so, and it is gone. */
function endWhere(
  database: Database,
  { position, pass }: SourceRow,
  end: LinkEnd,
  condition: string,
  value: string | number,
): number {
  const scope = `ended IS NULL AND ${condition}`;
  const sql = `UPDATE links SET ended = ?, failures = 0, retry_at_ms = 0,
                 position = coalesce(position, max(start, CASE WHEN session <= ? THEN ? ELSE ? END))
               WHERE ${scope}`;
  const count = firstRow<{ count: number }>(database, `SELECT count(*) AS count FROM links WHERE ${scope}`, value);
  if (count === undefined || count.count === 0) return 0;
  database.run(sql, end, pass?.after ?? "", pass?.to ?? position, position, value);
  return count.count;
}
