/**
 * The tables of one estuary.
 *
 * Table `estuary`: one row, JSON: the session's stream and the last link's number.
 *
 * Table `sources`: one row per link. Key: the source's full name, the link's number. `state`: `linking`, the source's
 * subscription may have the link, or is about to; `active`, it has; `ending`, it may still have it. `drain`: 1 when what
 * was published before the end still arrives. `due_at_ms`: when no call that makes the link
 * can arrive any more; 0 when each was answered. `expires_at_ms`: when the link ends by itself.
 */

import type { LinkFormat, LinkId } from "../../contracts/fan-out.ts";
import type { Grant } from "../../contracts/grant.ts";
import { firstRow, type Database } from "../../kit/database.ts";
import { createTables, hasTable, type Schema } from "../../kit/migrations.ts";

export const ESTUARY_SCHEMA: Schema = {
  table: "estuary",
  current: [
    `CREATE TABLE estuary (id INTEGER PRIMARY KEY CHECK (id = 1), facts TEXT NOT NULL)`,
    `CREATE TABLE sources (
      source TEXT NOT NULL,
      link INTEGER NOT NULL,
      format TEXT NOT NULL,
      state TEXT NOT NULL,
      start_offset TEXT NOT NULL DEFAULT '',
      drain INTEGER NOT NULL DEFAULT 0,
      due_at_ms INTEGER NOT NULL DEFAULT 0,
      expires_at_ms INTEGER,
      PRIMARY KEY (source, link)
    ) WITHOUT ROWID`,
    `CREATE INDEX sources_unsettled ON sources (due_at_ms) WHERE state <> 'active'`,
  ],
  migrations: [["ALTER TABLE sources ADD COLUMN expires_at_ms INTEGER"]],
};

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

type Columns = {
  source: string;
  link: number;
  format: LinkFormat;
  state: SourceLink["state"];
  start_offset: string;
  drain: number;
  due_at_ms: number;
  expires_at_ms: number | null;
};

const COLUMNS = "source, link, format, state, start_offset, drain, due_at_ms, expires_at_ms";

export function readEstuary(database: Database): EstuaryRow | undefined {
  if (!hasTable(database, ESTUARY_SCHEMA.table)) return undefined;
  const row = firstRow<{ facts: string }>(database, "SELECT facts FROM estuary WHERE id = 1");
  return row === undefined ? undefined : (JSON.parse(row.facts) as EstuaryRow);
}

export function writeEstuary(database: Database, row: EstuaryRow): void {
  createTables(database, ESTUARY_SCHEMA);
  database.run("INSERT OR REPLACE INTO estuary (id, facts) VALUES (1, ?)", JSON.stringify(row));
}

/** The link to a source that was not ended. */
export function readCurrentLink(database: Database, source: string): SourceLink | undefined {
  const sql = `SELECT ${COLUMNS} FROM sources WHERE source = ? AND state <> 'ending' ORDER BY link DESC LIMIT 1`;
  return database.all<Columns>(sql, source).map(toLink)[0];
}

/** All links to a source, oldest first. */
export function linksToSource(database: Database, source: string): SourceLink[] {
  const sql = `SELECT ${COLUMNS} FROM sources WHERE source = ? ORDER BY link LIMIT ?`;
  return database.all<Columns>(sql, source, LINKS_PER_SOURCE_MAX).map(toLink);
}

export function readSourceLink(database: Database, { source, link }: SourceKey): SourceLink | undefined {
  const sql = `SELECT ${COLUMNS} FROM sources WHERE source = ? AND link = ?`;
  return database.all<Columns>(sql, source, link).map(toLink)[0];
}

export function countLinks(database: Database): number {
  return firstRow<{ count: number }>(database, "SELECT count(*) AS count FROM sources")?.count ?? 0;
}

/** Links that are active, by name, at most `limit`. */
export function activeLinks(database: Database, limit: number): SourceLink[] {
  const sql = `SELECT ${COLUMNS} FROM sources WHERE state = 'active' ORDER BY source LIMIT ?`;
  return database.all<Columns>(sql, limit).map(toLink);
}

/** Links that are neither made nor ended for sure, those first that are due first. */
export function unsettledLinks(database: Database, limit: number): SourceLink[] {
  const sql = `SELECT ${COLUMNS} FROM sources WHERE state <> 'active' ORDER BY due_at_ms LIMIT ?`;
  return database.all<Columns>(sql, limit).map(toLink);
}

export function insertLinking(
  database: Database,
  { source, link, format, dueAtMs, expiresAtMs }: Omit<SourceLink, "state" | "startOffset" | "drain">,
): void {
  const sql = `INSERT INTO sources (source, link, format, state, due_at_ms, expires_at_ms)
               VALUES (?, ?, ?, 'linking', ?, ?)`;
  database.run(sql, source, link, format, dueAtMs, expiresAtMs);
}

/** A call for the link is made once more. */
export function putOff(database: Database, { source, link }: SourceKey, dueAtMs: number): void {
  database.run("UPDATE sources SET due_at_ms = ? WHERE source = ? AND link = ?", dueAtMs, source, link);
}

/** Unless it was ended meanwhile. @param dueAtMs 0 when nothing else was ever sent on its behalf. */
export function markActive(
  database: Database,
  { source, link }: SourceKey,
  startOffset: string,
  dueAtMs: number,
): void {
  const sql = `UPDATE sources SET state = 'active', start_offset = ?, due_at_ms = ?
               WHERE source = ? AND link = ? AND state = 'linking'`;
  database.run(sql, startOffset, dueAtMs, source, link);
}

/** Unless it is the same already. */
export function updateExpiry(database: Database, { source, link }: SourceKey, expiresAtMs: number | null): void {
  const sql = "UPDATE sources SET expires_at_ms = ? WHERE source = ? AND link = ? AND expires_at_ms IS NOT ?";
  database.run(sql, expiresAtMs, source, link, expiresAtMs);
}

export function markEnding(database: Database, { source, link }: SourceKey, drain: boolean): void {
  const sql = "UPDATE sources SET state = 'ending', drain = ? WHERE source = ? AND link = ?";
  database.run(sql, drain ? 1 : 0, source, link);
}

/** The session is gone: whatever it followed. */
export function markAllEnding(database: Database): void {
  database.run("UPDATE sources SET state = 'ending', drain = 0 WHERE state <> 'ending' OR drain = 1");
}

export function deleteSource(database: Database, { source, link }: SourceKey): void {
  database.run("DELETE FROM sources WHERE source = ? AND link = ?", source, link);
}

/** One that is current, and some whose end the source's subscription has not confirmed. */
const LINKS_PER_SOURCE_MAX = 64;

function toLink(row: Columns): SourceLink {
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
