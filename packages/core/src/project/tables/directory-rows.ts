/**
 * The directory, in a project's object.
 *
 * Table `streams`: one row for each stream of the project, by its name. Table `counters`: one row.
 */

import type { Counters, StreamNotice } from "../../contracts/project.ts";
import { firstRow, type Database } from "../../kit/database.ts";
import { insertEvent } from "./registry-rows.ts";
import { readStoredTotal, writeStored } from "./stored-rows.ts";

const TABLES = [
  `CREATE TABLE IF NOT EXISTS streams (
    name TEXT PRIMARY KEY,
    incarnation INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
  ) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS counters (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    streams INTEGER NOT NULL,
    created INTEGER NOT NULL,
    ended INTEGER NOT NULL
  )`,
];

/** Behind a prefix, it sorts after every name that has the prefix: names have 400 bytes, a character at most four. */
const BEYOND_NAMES = "\u{10ffff}".repeat(101);

export interface DirectoryRow {
  readonly name: string;
  readonly contentType: string;
  readonly createdAtMs: number;
}

/**
 * Takes a notice, unless it is older than what is known; two rows, in a transaction of its own, and one for each event
 * that the registry is to be told.
 */
export function applyNotice(database: Database, notice: StreamNotice): void {
  database.transaction(() => {
    for (const table of TABLES) database.run(table);
    const known = incarnationOf(database, notice.stream);
    if (notice.contentType === null) end(database, notice, known);
    else if (known === undefined || known < notice.incarnation) begin(database, notice, known !== undefined);
  });
}

/** The newest life of a stream that is known of; `undefined`: it has ended, or was never heard of. */
export function knownIncarnation(database: Database, stream: string): number | undefined {
  return hasDirectory(database) ? incarnationOf(database, stream) : undefined;
}

function incarnationOf(database: Database, stream: string): number | undefined {
  const sql = "SELECT incarnation FROM streams WHERE name = ?";
  return firstRow<{ incarnation: number }>(database, sql, stream)?.incarnation;
}

export function readCounters(database: Database): Counters {
  const row = hasDirectory(database)
    ? firstRow<{ streams: number; created: number; ended: number }>(database, "SELECT * FROM counters WHERE id = 1")
    : undefined;
  const bytes = readStoredTotal(database);
  return { streams: row?.streams ?? 0, created: row?.created ?? 0, ended: row?.ended ?? 0, bytes };
}

/**
 * Streams in the order of their names' bytes.
 * @param after the last name of the page before; `""` begins.
 */
export function listStreams(database: Database, prefix: string, after: string, limit: number): DirectoryRow[] {
  if (!hasDirectory(database)) return [];
  return database
    .all<{ name: string; content_type: string; created_at_ms: number }>(
      `SELECT name, content_type, created_at_ms FROM streams
       WHERE name > ? AND name >= ? AND name < ? ORDER BY name LIMIT ?`,
      after,
      prefix,
      prefix + BEYOND_NAMES,
      limit,
    )
    .map((row) => ({ name: row.name, contentType: row.content_type, createdAtMs: row.created_at_ms }));
}

function begin(
  database: Database,
  { stream, incarnation, contentType, atMs }: StreamNotice,
  isReplaced: boolean,
): void {
  database.run(
    "INSERT OR REPLACE INTO streams (name, incarnation, content_type, created_at_ms) VALUES (?, ?, ?, ?)",
    stream,
    incarnation,
    contentType,
    atMs,
  );
  count(database, isReplaced ? 0 : 1, 1, isReplaced ? 1 : 0);
  // Nothing told of the end of the one before.
  if (isReplaced) insertEvent(database, { name: stream, contentType: null, atMs });
  insertEvent(database, { name: stream, contentType, atMs });
}

function end(database: Database, { stream, incarnation, atMs }: StreamNotice, known: number | undefined): void {
  if (known === undefined || known > incarnation) return;
  database.run("DELETE FROM streams WHERE name = ?", stream);
  writeStored(database, stream, 0);
  count(database, -1, 0, 1);
  insertEvent(database, { name: stream, contentType: null, atMs });
}

function count(database: Database, streams: number, created: number, ended: number): void {
  database.run(
    `INSERT INTO counters (id, streams, created, ended) VALUES (1, ?1, ?2, ?3)
     ON CONFLICT (id) DO UPDATE SET streams = streams + ?1, created = created + ?2, ended = ended + ?3`,
    streams,
    created,
    ended,
  );
}

function hasDirectory(database: Database): boolean {
  const table = "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'streams'";
  return firstRow(database, table) !== undefined;
}
