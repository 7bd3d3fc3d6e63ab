/**
 * The tables of a source's subscription.
 *
 * Table `source`: one row. How far the source has been delivered to all links that keep up, and by which token it tells
 * of news. Written once for each page that is delivered, and once for some hundreds of links on the way.
 *
 * Table `links`: one row per link. Key: the session's full name, the link's number. Written when the link begins, ends,
 * falls behind and has caught up; a delivery to a link that keeps up writes none. `position` is null while the link keeps
 * up: it then stands where `source` says, or at its own beginning if that is later. `until`: the session has unsubscribed,
 * and gets what was published before. `failures`, `retry_at_ms`: of a link that has fallen behind. `kid`, `user`, `expires_at_ms`:
 * the grant, null where there is none or it has no end. `ended`: why the link brings nothing more; the session does not know yet.
 *
 * Table `link_keys`: one row per key that has made links here. The project knows of it; `ended`: none are made by it any more.
 *
 * Table `unwanted`: links that were taken back before they were made. The call that makes one may be late: it is refused.
 */

import type { LinkEnd, LinkFormat, LinkId } from "../../contracts/fan-out.ts";
import type { Grant } from "../../contracts/grant.ts";
import { firstRow, type Database } from "../../kit/database.ts";
import { hasTable, type Schema } from "../../kit/migrations.ts";

const LINK_KEYS_TABLE = `CREATE TABLE IF NOT EXISTS link_keys (
  kid TEXT PRIMARY KEY,
  ended INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID`;
const EXPIRING_INDEX = `CREATE INDEX IF NOT EXISTS links_expiring ON links (expires_at_ms)
  WHERE expires_at_ms IS NOT NULL AND ended IS NULL`;

export const LINK_SCHEMA: Schema = {
  table: "source",
  current: [
    `CREATE TABLE source (id INTEGER PRIMARY KEY CHECK (id = 1), facts TEXT NOT NULL)`,
    `CREATE TABLE links (
      session TEXT NOT NULL,
      link INTEGER NOT NULL,
      session_incarnation INTEGER NOT NULL,
      format TEXT NOT NULL,
      incarnation INTEGER NOT NULL,
      start INTEGER NOT NULL,
      start_offset TEXT NOT NULL,
      until INTEGER,
      position INTEGER,
      failures INTEGER NOT NULL DEFAULT 0,
      retry_at_ms INTEGER NOT NULL DEFAULT 0,
      kid TEXT,
      user TEXT,
      expires_at_ms INTEGER,
      since_ms INTEGER,
      ended TEXT,
      PRIMARY KEY (session, link)
    ) WITHOUT ROWID`,
    `CREATE TABLE unwanted (
      session TEXT NOT NULL,
      link INTEGER NOT NULL,
      until_ms INTEGER NOT NULL,
      PRIMARY KEY (session, link)
    ) WITHOUT ROWID`,
    `CREATE INDEX links_behind ON links (retry_at_ms) WHERE position IS NOT NULL`,
    EXPIRING_INDEX,
    LINK_KEYS_TABLE,
  ],
  migrations: [
    [
      "ALTER TABLE links ADD COLUMN kid TEXT",
      "ALTER TABLE links ADD COLUMN user TEXT",
      "ALTER TABLE links ADD COLUMN expires_at_ms INTEGER",
      "ALTER TABLE links ADD COLUMN since_ms INTEGER",
      "ALTER TABLE links ADD COLUMN ended TEXT",
      EXPIRING_INDEX,
      LINK_KEYS_TABLE,
    ],
  ],
};

/** Kept as JSON: all of it is written together. */
export interface SourceRow {
  /** By which the source tells of news; `null`: it does not. */
  readonly token: number | null;
  /** The incarnation of the source that `position` belongs to; 0 before the first link. */
  readonly incarnation: number;
  readonly contentType: string;
  /** How far all links have got that keep up and that `pass` has not reached. */
  readonly position: number;
  /** A page that is being delivered: where it ends, and the last session that has it, in the order of their names. */
  readonly pass: DeliveryPass | null;
  /** Where the source is closed; `null`: that was not seen yet. */
  readonly closedAt: number | null;
  /** Incarnations of the source up to this one are over: it was deleted. */
  readonly endedIncarnation: number;
  /** When something last happened, in ms. Kept for the release before, which looks by itself after a silence. */
  readonly activeAtMs: number;
  /** A following that is over, of whose keys the project has not been told yet. */
  readonly overToken?: number | null;
}

export interface DeliveryPass {
  readonly to: number;
  readonly after: string;
  /** Sessions up to this name are served from the queue, since an instant in ms. */
  readonly sent?: { readonly upTo: string; readonly atMs: number };
}

export interface LinkKey {
  readonly session: string;
  readonly link: LinkId;
}

export interface LinkRow extends LinkKey, Grant {
  readonly sessionIncarnation: number;
  readonly format: LinkFormat;
  readonly incarnation: number;
  readonly start: number;
  readonly startOffset: string;
  readonly until: number | null;
  readonly position: number | null;
  readonly failures: number;
  readonly retryAtMs: number;
  /** When it was made, in ms; `null`: before links remembered it. */
  readonly sinceMs: number | null;
  /** Why it brings nothing more; `null`: it goes on. */
  readonly ended: LinkEnd | null;
}

export type LinkColumns = {
  session: string;
  link: number;
  session_incarnation: number;
  format: LinkFormat;
  incarnation: number;
  start: number;
  start_offset: string;
  until: number | null;
  position: number | null;
  failures: number;
  retry_at_ms: number;
  kid: string | null;
  user: string | null;
  expires_at_ms: number | null;
  since_ms: number | null;
  ended: LinkEnd | null;
};

export const LINK_COLUMNS = `session, link, session_incarnation, format, incarnation, start, start_offset, until, position, failures, retry_at_ms,
  kid, user, expires_at_ms, since_ms, ended`;

export function hasLinkTables(database: Database): boolean {
  return hasTable(database, LINK_SCHEMA.table);
}

/** Rows from before the first release call the pass `round`. */
export function readSource(database: Database): SourceRow | undefined {
  const row = firstRow<{ facts: string }>(database, "SELECT facts FROM source WHERE id = 1");
  if (row === undefined) return undefined;
  const { round, ...source } = JSON.parse(row.facts) as SourceRow & { readonly round?: DeliveryPass | null };
  return round === undefined ? source : { ...source, pass: round };
}

export function writeSource(database: Database, source: SourceRow): void {
  database.run("INSERT OR REPLACE INTO source (id, facts) VALUES (1, ?)", JSON.stringify(source));
}

export function insertLink(database: Database, row: Omit<LinkRow, "until" | "failures" | "retryAtMs" | "ended">): void {
  database.run(
    `INSERT INTO links (session, link, session_incarnation, format, incarnation, start, start_offset, position,
       kid, user, expires_at_ms, since_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row.session,
    row.link,
    row.sessionIncarnation,
    row.format,
    row.incarnation,
    row.start,
    row.startOffset,
    row.position,
    row.kid,
    row.user,
    row.expiresAtMs,
    row.sinceMs,
  );
}

/** Others have used the source's right for the link since: it is theirs. */
export function updateGrant(database: Database, { session, link }: LinkKey, { kid, user, expiresAtMs }: Grant): void {
  const sql = "UPDATE links SET kid = ?, user = ?, expires_at_ms = ? WHERE session = ? AND link = ?";
  database.run(sql, kid, user, expiresAtMs, session, link);
}

export function readLink(database: Database, { session, link }: LinkKey): LinkRow | undefined {
  const sql = `SELECT ${LINK_COLUMNS} FROM links WHERE session = ? AND link = ?`;
  return database.all<LinkColumns>(sql, session, link).map(toLink)[0];
}

/** All links of one session, in the order in which they are served. */
export function linksOfSession(database: Database, session: string): LinkRow[] {
  const sql = `SELECT ${LINK_COLUMNS} FROM links WHERE session = ? ORDER BY link LIMIT ?`;
  return database.all<LinkColumns>(sql, session, LINKS_PER_SESSION_MAX).map(toLink);
}

/** Sessions whose names come after one, in order. */
export function sessionsAfter(database: Database, after: string, limit: number): string[] {
  const sql = "SELECT DISTINCT session FROM links WHERE session > ? ORDER BY session LIMIT ?";
  return database.all<{ session: string }>(sql, after, limit).map(({ session }) => session);
}

/** The session that is so many places after a name; `undefined`: there are fewer. */
export function sessionAfter(database: Database, after: string, places: number): string | undefined {
  const sql = "SELECT DISTINCT session FROM links WHERE session > ? ORDER BY session LIMIT 1 OFFSET ?";
  return firstRow<{ session: string }>(database, sql, after, places - 1)?.session;
}

/** All links of sessions whose names come after one, up to another, in order. */
export function linksBetween(database: Database, after: string, upTo: string, limit: number): LinkRow[] {
  const sql = `SELECT ${LINK_COLUMNS} FROM links WHERE session > ? AND session <= ? ORDER BY session, link LIMIT ?`;
  return database.all<LinkColumns>(sql, after, upTo, limit).map(toLink);
}

/** Sessions with links to incarnations of the source that are over, without those that wait to be tried again. */
export function sessionsUpTo(database: Database, incarnation: number, nowMs: number, limit: number): string[] {
  const sql = `SELECT DISTINCT session FROM links
               WHERE incarnation <= ? AND (position IS NULL OR retry_at_ms <= ?) LIMIT ?`;
  return database.all<{ session: string }>(sql, incarnation, nowMs, limit).map(({ session }) => session);
}

/** Whether there is any link to an incarnation of the source that is over. */
export function hasLinksUpTo(database: Database, incarnation: number): boolean {
  return firstRow(database, "SELECT 1 AS found FROM links WHERE incarnation <= ? LIMIT 1", incarnation) !== undefined;
}

/** Sessions with links that have fallen behind, whose time has come. */
export function sessionsBehind(database: Database, nowMs: number, limit: number): string[] {
  const sql = `SELECT DISTINCT session FROM
                 (SELECT session FROM links WHERE position IS NOT NULL AND retry_at_ms <= ? ORDER BY retry_at_ms LIMIT ?)`;
  return database.all<{ session: string }>(sql, nowMs, limit).map(({ session }) => session);
}

/** When the first of them is to be served, in ms. */
export function nextRetryMs(database: Database): number | undefined {
  const sql = "SELECT retry_at_ms FROM links WHERE position IS NOT NULL ORDER BY retry_at_ms LIMIT 1";
  return firstRow<{ retry_at_ms: number }>(database, sql)?.retry_at_ms;
}

export function hasLinks(database: Database): boolean {
  return firstRow(database, "SELECT 1 AS found FROM links LIMIT 1") !== undefined;
}

/** The link has fallen behind, or got somewhere on its own. */
export function updateBehind(
  database: Database,
  { session, link }: LinkKey,
  {
    position,
    failures,
    retryAtMs,
  }: { readonly position: number; readonly failures: number; readonly retryAtMs: number },
): void {
  const sql = "UPDATE links SET position = ?, failures = ?, retry_at_ms = ? WHERE session = ? AND link = ?";
  database.run(sql, position, failures, retryAtMs, session, link);
}

/** The link keeps up again, unless it was told meanwhile to run out, or to end. */
export function updateCaughtUp(database: Database, { session, link, until }: LinkKey & Pick<LinkRow, "until">): void {
  const sql = `UPDATE links SET position = NULL, failures = 0, retry_at_ms = 0
               WHERE session = ? AND link = ? AND until IS ? AND ended IS NULL`;
  database.run(sql, session, link, until);
}

/** The link runs out at a position; until then it is served by itself. */
export function updateUntil(database: Database, { session, link }: LinkKey, position: number, until: number): void {
  const sql = "UPDATE links SET position = ?, until = ? WHERE session = ? AND link = ?";
  database.run(sql, position, until, session, link);
}

export function deleteLink(database: Database, { session, link }: LinkKey): void {
  database.run("DELETE FROM links WHERE session = ? AND link = ?", session, link);
}

export function insertUnwanted(database: Database, { session, link }: LinkKey, untilMs: number): void {
  database.run("INSERT OR REPLACE INTO unwanted (session, link, until_ms) VALUES (?, ?, ?)", session, link, untilMs);
}

export function isUnwanted(database: Database, { session, link }: LinkKey): boolean {
  const sql = "SELECT 1 AS found FROM unwanted WHERE session = ? AND link = ?";
  return firstRow(database, sql, session, link) !== undefined;
}

/** Forgets those whose time is over. @returns when the last of the others may be forgotten, in ms. */
export function forgetUnwanted(database: Database, nowMs: number): number | undefined {
  const last = firstRow<{ until_ms: number | null }>(database, "SELECT max(until_ms) AS until_ms FROM unwanted");
  if (last === undefined || last.until_ms === null) return undefined;
  if (last.until_ms > nowMs) return last.until_ms;
  database.run("DELETE FROM unwanted");
  return undefined;
}

/** A session that subscribes and unsubscribes again and again has one link that goes on, and some that run out. */
const LINKS_PER_SESSION_MAX = 64;

export function toLink(row: LinkColumns): LinkRow {
  return {
    session: row.session,
    link: row.link,
    sessionIncarnation: row.session_incarnation,
    format: row.format,
    incarnation: row.incarnation,
    start: row.start,
    startOffset: row.start_offset,
    until: row.until,
    position: row.position,
    failures: row.failures,
    retryAtMs: row.retry_at_ms,
    kid: row.kid,
    user: row.user,
    expiresAtMs: row.expires_at_ms,
    sinceMs: row.since_ms,
    ended: row.ended,
  };
}
