/**
 * The tables of one estuary.
 *
 * Table `estuary`: one row, JSON: the session's stream and the last link's number.
 *
 * Table `sources`: one row per link. Key: the source's full name, the link's number. `state`: `linking`, the source's
 * follower set may have the link, or is about to; `active`, it has; `ending`, it may still have it. `drain`: 1 when what
 * was published before the end still arrives. `due_at_ms`: when no call that makes the link
 * can arrive any more; 0 when each was answered. `expires_at_ms`: when the link ends by itself.
 */

import type { LinkFormat, LinkId } from "../../contracts/fan-out.ts";
import type { Grant } from "../../contracts/grant.ts";
import { firstRow, type Database } from "../../kit/database.ts";
import { integer, nullable, onlyRow, since, text, type RowOf } from "../../kit/sql/column.ts";
import { schema } from "../../kit/sql/schema.ts";
import { table } from "../../kit/sql/table.ts";

const estuaryTable = table({
  kind: "session",
  name: "estuary",
  columns: { id: onlyRow(), facts: text() },
  key: ["id"],
});

const sourcesTable = table({
  kind: "session",
  name: "sources",
  columns: {
    source: text(),
    link: integer(),
    format: text<LinkFormat>(),
    state: text<SourceLink["state"]>(),
    start_offset: text(""),
    drain: integer(0),
    due_at_ms: integer(0),
    expires_at_ms: since(2, nullable(integer())),
  },
  key: ["source", "link"],
  indexes: { sources_unsettled: { columns: ["due_at_ms"], where: "state <> 'active'" } },
});

export const ESTUARY_SCHEMA = schema({ kind: "session", together: [estuaryTable, sourcesTable] });

export interface EstuaryRow {
  /** The session's. */
  readonly incarnation: number;
  readonly lastLink: LinkId;
}

export interface SourceKey {
  readonly source: string;
  readonly link: LinkId;
}

export interface SourceLink extends SourceKey, Pick<Grant, "expiresAtMs"> {
  readonly format: LinkFormat;
  readonly state: "linking" | "active" | "ending";
  readonly startOffset: string;
  readonly drain: boolean;
  readonly dueAtMs: number;
}

const COLUMNS = ["source", "link", "format", "state", "start_offset", "drain", "due_at_ms", "expires_at_ms"] as const;

const READ_ESTUARY = estuaryTable.select(["facts"], { where: "id = 1" });
const REPLACE_ESTUARY = estuaryTable.replace(["id", "facts"]);

const CURRENT_LINK = sourcesTable.select(COLUMNS, {
  where: "source = ? AND state <> 'ending'",
  orderBy: "link DESC",
  limit: "1",
});
const TO_SOURCE = sourcesTable.select(COLUMNS, { where: "source = ?", orderBy: "link", limit: "?" });
const READ_LINK = sourcesTable.select(COLUMNS, { where: "source = ? AND link = ?" });
const COUNT = sourcesTable.compute<{ count: number }>("count(*) AS count");
const ACTIVE = sourcesTable.select(COLUMNS, { where: "state = 'active'", orderBy: "source", limit: "?" });
const UNSETTLED = sourcesTable.select(COLUMNS, { where: "state <> 'active'", orderBy: "due_at_ms", limit: "?" });
const INSERT = sourcesTable.insert(["source", "link", "format", "state", "due_at_ms", "expires_at_ms"]);
const PUT_OFF = sourcesTable.update("due_at_ms = ?", "source = ? AND link = ?");
const MARK_ACTIVE = sourcesTable.update(
  "state = 'active', start_offset = ?, due_at_ms = ?",
  "source = ? AND link = ? AND state = 'linking'",
);
const UPDATE_EXPIRY = sourcesTable.update("expires_at_ms = ?", "source = ? AND link = ? AND expires_at_ms IS NOT ?");
const MARK_ENDING = sourcesTable.update("state = 'ending', drain = ?", "source = ? AND link = ?");
const MARK_ALL_ENDING = sourcesTable.update("state = 'ending', drain = 0", "state <> 'ending' OR drain = 1");
const DELETE = sourcesTable.delete("source = ? AND link = ?");

export function readEstuary(database: Database): EstuaryRow | undefined {
  if (!database.tables.has(estuaryTable)) return undefined;
  const row = firstRow(database, READ_ESTUARY);
  return row === undefined ? undefined : (JSON.parse(row.facts) as EstuaryRow);
}

export function writeEstuary(database: Database, row: EstuaryRow): void {
  if (!database.tables.has(estuaryTable)) database.tables.create(...ESTUARY_SCHEMA.together);
  database.run(REPLACE_ESTUARY, 1, JSON.stringify(row));
}

/** The link to a source that was not ended. */
export function readCurrentLink(database: Database, source: string): SourceLink | undefined {
  return database.all(CURRENT_LINK, source).map(toLink)[0];
}

/** All links to a source, oldest first. */
export function linksToSource(database: Database, source: string): SourceLink[] {
  return database.all(TO_SOURCE, source, LINKS_PER_SOURCE_MAX).map(toLink);
}

export function readSourceLink(database: Database, { source, link }: SourceKey): SourceLink | undefined {
  return database.all(READ_LINK, source, link).map(toLink)[0];
}

export function countLinks(database: Database): number {
  return firstRow(database, COUNT)?.count ?? 0;
}

/** Links that are active, by name, at most `limit`. */
export function activeLinks(database: Database, limit: number): SourceLink[] {
  return database.all(ACTIVE, limit).map(toLink);
}

/** Links that are neither made nor ended for sure, those first that are due first. */
export function unsettledLinks(database: Database, limit: number): SourceLink[] {
  return database.all(UNSETTLED, limit).map(toLink);
}

export function insertLinking(
  database: Database,
  { source, link, format, dueAtMs, expiresAtMs }: Omit<SourceLink, "state" | "startOffset" | "drain">,
): void {
  database.run(INSERT, source, link, format, "linking", dueAtMs, expiresAtMs);
}

/** A call for the link is made once more. */
export function putOff(database: Database, { source, link }: SourceKey, dueAtMs: number): void {
  database.run(PUT_OFF, dueAtMs, source, link);
}

/** Unless it was ended meanwhile. @param dueAtMs 0 when nothing else was ever sent on its behalf. */
export function markActive(
  database: Database,
  { source, link }: SourceKey,
  startOffset: string,
  dueAtMs: number,
): void {
  database.run(MARK_ACTIVE, startOffset, dueAtMs, source, link);
}

/** Unless it is the same already. */
export function updateExpiry(database: Database, { source, link }: SourceKey, expiresAtMs: number | null): void {
  database.run(UPDATE_EXPIRY, expiresAtMs, source, link, expiresAtMs);
}

export function markEnding(database: Database, { source, link }: SourceKey, drain: boolean): void {
  database.run(MARK_ENDING, drain ? 1 : 0, source, link);
}

/** The session is gone: whatever it followed. */
export function markAllEnding(database: Database): void {
  database.run(MARK_ALL_ENDING);
}

export function deleteSource(database: Database, { source, link }: SourceKey): void {
  database.run(DELETE, source, link);
}

/** One that is current, and some whose end the source's follower set has not confirmed. */
const LINKS_PER_SOURCE_MAX = 64;

function toLink(row: RowOf<typeof sourcesTable.columns, (typeof COLUMNS)[number]>): SourceLink {
  return {
    source: row.source,
    link: row.link,
    format: row.format,
    state: row.state,
    startOffset: row.start_offset,
    drain: row.drain === 1,
    dueAtMs: row.due_at_ms,
    expiresAtMs: row.expires_at_ms,
  };
}
