/** Reads and writes the tables of a source's follower set (see `tables.ts`). */

import type { LinkEnd, LinkFormat, LinkId } from "../../contracts/fan-out.ts";
import type { Grant } from "../../contracts/grant.ts";
import { firstRow, type Database } from "../../kit/database.ts";
import type { RowOf } from "../../kit/sql/column.ts";
import { LINK_SCHEMA, linksTable, sourceTable, unwantedTable } from "./tables.ts";

/** Kept as JSON: all of it is written together. */
export interface SourceRow {
  /** With which the source sends notifications; `null`: it sends none. */
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
  /** A following that is over, about whose keys the project has not been notified yet. */
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
  /** Why it delivers nothing more; `null`: it continues. */
  readonly ended: LinkEnd | null;
}

export const LINK_COLUMNS = [
  "session",
  "link",
  "session_incarnation",
  "format",
  "incarnation",
  "start",
  "start_offset",
  "until",
  "position",
  "failures",
  "retry_at_ms",
  "kid",
  "user",
  "expires_at_ms",
  "since_ms",
  "ended",
] as const;

const READ_SOURCE = sourceTable.select(["facts"], { where: "id = 1" });
const REPLACE_SOURCE = sourceTable.replace(["id", "facts"]);

const INSERT_LINK = linksTable.insert([
  "session",
  "link",
  "session_incarnation",
  "format",
  "incarnation",
  "start",
  "start_offset",
  "position",
  "kid",
  "user",
  "expires_at_ms",
  "since_ms",
]);
const UPDATE_GRANT = linksTable.update("kid = ?, user = ?, expires_at_ms = ?", "session = ? AND link = ?");
const READ_LINK = linksTable.select(LINK_COLUMNS, { where: "session = ? AND link = ?" });
const OF_SESSION = linksTable.select(LINK_COLUMNS, { where: "session = ?", orderBy: "link", limit: "?" });
const SESSIONS_AFTER = linksTable.select(["session"], {
  isDistinct: true,
  where: "session > ?",
  orderBy: "session",
  limit: "?",
});
const SESSION_AFTER = linksTable.select(["session"], {
  isDistinct: true,
  where: "session > ?",
  orderBy: "session",
  limit: "1 OFFSET ?",
});
const LINKS_BETWEEN = linksTable.select(LINK_COLUMNS, {
  where: "session > ? AND session <= ?",
  orderBy: "session, link",
  limit: "?",
});
const SESSIONS_UP_TO = linksTable.select(["session"], {
  isDistinct: true,
  where: "incarnation <= ? AND (position IS NULL OR retry_at_ms <= ?)",
  limit: "?",
});
const HAS_LINKS_UP_TO = linksTable.exists("incarnation <= ?");
const SESSIONS_BEHIND = linksTable.select(["session"], {
  where: "position IS NOT NULL AND retry_at_ms <= ?",
  orderBy: "retry_at_ms",
  limit: "?",
});
const NEXT_RETRY = linksTable.select(["retry_at_ms"], {
  where: "position IS NOT NULL",
  orderBy: "retry_at_ms",
  limit: "1",
});
const HAS_LINKS = linksTable.exists();
const UPDATE_BEHIND = linksTable.update("position = ?, failures = ?, retry_at_ms = ?", "session = ? AND link = ?");
const UPDATE_CAUGHT_UP = linksTable.update(
  "position = NULL, failures = 0, retry_at_ms = 0",
  "session = ? AND link = ? AND until IS ? AND ended IS NULL",
);
const UPDATE_UNTIL = linksTable.update("position = ?, until = ?", "session = ? AND link = ?");
const DELETE_LINK = linksTable.delete("session = ? AND link = ?");

const REPLACE_UNWANTED = unwantedTable.replace(["session", "link", "until_ms"]);
const IS_UNWANTED = unwantedTable.exists("session = ? AND link = ?");
const LAST_UNWANTED = unwantedTable.compute<{ until_ms: number | null }>("max(until_ms) AS until_ms");
const DELETE_UNWANTED = unwantedTable.delete();

export function hasLinkTables({ tables }: Database): boolean {
  return tables.has(sourceTable);
}

/** Unless there are any. */
export function createLinkTables(database: Database): void {
  if (!hasLinkTables(database)) database.tables.create(...LINK_SCHEMA.together);
}

/** The pass is stored as `round`, by which the release before knows it: that must read the row, should it be deployed again. */
export function readSource(database: Database): SourceRow | undefined {
  const row = firstRow(database, READ_SOURCE);
  if (row === undefined) return undefined;
  type Passes = { readonly round?: DeliveryPass | null; readonly pass?: DeliveryPass | null };
  const { round, pass, ...source } = JSON.parse(row.facts) as Omit<SourceRow, "pass"> & Passes;
  return { ...source, pass: round ?? pass ?? null };
}

export function writeSource(database: Database, { pass: round, ...source }: SourceRow): void {
  database.run(REPLACE_SOURCE, 1, JSON.stringify({ ...source, round }));
}

export function insertLink(database: Database, row: Omit<LinkRow, "until" | "failures" | "retryAtMs" | "ended">): void {
  database.run(
    INSERT_LINK,
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
  database.run(UPDATE_GRANT, kid, user, expiresAtMs, session, link);
}

export function readLink(database: Database, { session, link }: LinkKey): LinkRow | undefined {
  return database.all(READ_LINK, session, link).map(toLink)[0];
}

/** All links of one session, in the order in which they are served. */
export function linksOfSession(database: Database, session: string): LinkRow[] {
  return database.all(OF_SESSION, session, LINKS_PER_SESSION_MAX).map(toLink);
}

/** Sessions whose names come after one, in order. */
export function sessionsAfter(database: Database, after: string, limit: number): string[] {
  return database.all(SESSIONS_AFTER, after, limit).map(({ session }) => session);
}

/** The session that is so many places after a name; `undefined`: there are fewer. */
export function sessionAfter(database: Database, after: string, places: number): string | undefined {
  return firstRow(database, SESSION_AFTER, after, places - 1)?.session;
}

/** All links of sessions whose names come after one, up to another, in order. */
export function linksBetween(database: Database, after: string, upTo: string, limit: number): LinkRow[] {
  return database.all(LINKS_BETWEEN, after, upTo, limit).map(toLink);
}

/** Sessions with links to incarnations of the source that are over, without those that wait to be tried again. */
export function sessionsUpTo(database: Database, incarnation: number, nowMs: number, limit: number): string[] {
  return database.all(SESSIONS_UP_TO, incarnation, nowMs, limit).map(({ session }) => session);
}

/** Whether there is any link to an incarnation of the source that is over. */
export function hasLinksUpTo(database: Database, incarnation: number): boolean {
  return firstRow(database, HAS_LINKS_UP_TO, incarnation) !== undefined;
}

/** Sessions with links that have fallen behind, whose time has come. */
export function sessionsBehind(database: Database, nowMs: number, limit: number): string[] {
  const links = database.all(SESSIONS_BEHIND, nowMs, limit);
  return [...new Set(links.map(({ session }) => session))];
}

/** When the first of them is to be served, in ms. */
export function nextRetryMs(database: Database): number | undefined {
  return firstRow(database, NEXT_RETRY)?.retry_at_ms;
}

export function hasLinks(database: Database): boolean {
  return firstRow(database, HAS_LINKS) !== undefined;
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
  database.run(UPDATE_BEHIND, position, failures, retryAtMs, session, link);
}

/** The link keeps up again, unless it was meanwhile limited or ended. */
export function updateCaughtUp(database: Database, { session, link, until }: LinkKey & Pick<LinkRow, "until">): void {
  database.run(UPDATE_CAUGHT_UP, session, link, until);
}

/** The link runs out at a position; until then it is served by itself. */
export function updateUntil(database: Database, { session, link }: LinkKey, position: number, until: number): void {
  database.run(UPDATE_UNTIL, position, until, session, link);
}

export function deleteLink(database: Database, { session, link }: LinkKey): void {
  database.run(DELETE_LINK, session, link);
}

export function insertUnwanted(database: Database, { session, link }: LinkKey, untilMs: number): void {
  database.run(REPLACE_UNWANTED, session, link, untilMs);
}

export function isUnwanted(database: Database, { session, link }: LinkKey): boolean {
  return firstRow(database, IS_UNWANTED, session, link) !== undefined;
}

/** Forgets those whose time is over. @returns when the last of the others may be forgotten, in ms. */
export function forgetUnwanted(database: Database, nowMs: number): number | undefined {
  const last = firstRow(database, LAST_UNWANTED);
  if (last === undefined || last.until_ms === null) return undefined;
  if (last.until_ms > nowMs) return last.until_ms;
  database.run(DELETE_UNWANTED);
  return undefined;
}

/** A session that subscribes and unsubscribes again and again has one link that goes on, and some that run out. */
const LINKS_PER_SESSION_MAX = 64;

export function toLink(row: RowOf<typeof linksTable.columns, (typeof LINK_COLUMNS)[number]>): LinkRow {
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
