/**
 * The tables of a project's directory, in the project's object.
 *
 * Table `streams`: one row for each stream of the project, by its name. Table `counters`: one row.
 */

import type { Counters, StreamNotice } from "../../contracts/project.ts";
import { firstRow, type Database } from "../../kit/database.ts";
import { integer, onlyRow, text } from "../../kit/sql/column.ts";
import { table } from "../../kit/sql/table.ts";
import { insertEvent } from "./registry-event-rows.ts";
import { readStoredTotal, writeStored } from "./stored-rows.ts";

export const streamsTable = table({
  kind: "project",
  name: "streams",
  columns: { name: text(), incarnation: integer(), content_type: text(), created_at_ms: integer() },
  key: ["name"],
});

export const countersTable = table({
  kind: "project",
  name: "counters",
  columns: { id: onlyRow(), streams: integer(), created: integer(), ended: integer() },
  key: ["id"],
});

const INCARNATION_OF = streamsTable.select(["incarnation"], { where: "name = ?" });
/**
 * One bound below, the larger of the two, so that the index begins with the first name that is returned. The plus keeps SQLite
 * from beginning at the other condition, which only leaves out the name that the page before ended with.
 */
const LIST = streamsTable.select(["name", "content_type", "created_at_ms"], {
  where: "name >= max(?, ?) AND name < ? AND +name > ?",
  orderBy: "name",
  limit: "?",
});
const REPLACE = streamsTable.replace(["name", "incarnation", "content_type", "created_at_ms"]);
const DELETE = streamsTable.delete("name = ?");

const READ_COUNTERS = countersTable.select(["streams", "created", "ended"], { where: "id = 1" });
const COUNT = countersTable.upsert(
  ["id", "streams", "created", "ended"],
  "streams = streams + excluded.streams, created = created + excluded.created, ended = ended + excluded.ended",
);

/** Behind a prefix, it sorts after every name that has the prefix: names have 400 bytes, a character at most four. */
const BEYOND_NAMES = "\u{10ffff}".repeat(101);

export interface DirectoryRow {
  readonly name: string;
  readonly contentType: string;
  readonly createdAtMs: number;
}

/**
 * Takes a notice, unless it is older than what is known; two rows, in a transaction of its own, and one for each event
 * that the registry is to get.
 */
export function applyNotice(database: Database, notice: StreamNotice): void {
  database.transaction(() => {
    database.tables.create(streamsTable, countersTable);
    const known = incarnationOf(database, notice.stream);
    const { contentType } = notice;
    if (contentType === null) end(database, notice, known);
    else if (known === undefined || known < notice.incarnation) {
      begin(database, { ...notice, contentType }, known !== undefined);
    }
  });
}

/** The newest known incarnation of a stream; `undefined`: it has ended, or was never reported. */
export function knownIncarnation(database: Database, stream: string): number | undefined {
  return hasDirectory(database) ? incarnationOf(database, stream) : undefined;
}

function incarnationOf(database: Database, stream: string): number | undefined {
  return firstRow(database, INCARNATION_OF, stream)?.incarnation;
}

export function readCounters(database: Database): Counters {
  const row = hasDirectory(database) ? firstRow(database, READ_COUNTERS) : undefined;
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
    .all(LIST, after, prefix, prefix + BEYOND_NAMES, after, limit)
    .map((row) => ({ name: row.name, contentType: row.content_type, createdAtMs: row.created_at_ms }));
}

function begin(
  database: Database,
  { stream, incarnation, contentType, atMs }: StreamNotice & { readonly contentType: string },
  isReplaced: boolean,
): void {
  database.run(REPLACE, stream, incarnation, contentType, atMs);
  count(database, isReplaced ? 0 : 1, 1, isReplaced ? 1 : 0);
  // Nothing reported the end of the one before.
  if (isReplaced) insertEvent(database, { name: stream, contentType: null, atMs });
  insertEvent(database, { name: stream, contentType, atMs });
}

function end(database: Database, { stream, incarnation, atMs }: StreamNotice, known: number | undefined): void {
  if (known === undefined || known > incarnation) return;
  database.run(DELETE, stream);
  writeStored(database, stream, 0);
  count(database, -1, 0, 1);
  insertEvent(database, { name: stream, contentType: null, atMs });
}

function count(database: Database, streams: number, created: number, ended: number): void {
  database.run(COUNT, 1, streams, created, ended);
}

function hasDirectory({ tables }: Database): boolean {
  return tables.has(streamsTable);
}
