/**
 * The rows of one table of the hot log, a partition of `log` (see `hot-log.ts`): one row per commit.
 * Key: position of the row's first byte. Value: when it was committed (ms), its notes, its bytes (at most
 * `ROW_BYTES_MAX`). Rows are contiguous: each begins where the one before it ends. `bytes` is the last column, so
 * that a look at the notes never reads a blob's overflow pages.
 *
 * A close without data is a row without bytes at the tail; nothing ever follows it. All rows of a commit are in one
 * table, so a table begins and ends where an append does.
 */

import { assertAtLeast, assertEqual } from "../kit/assert.ts";
import { concatBytes } from "../kit/bytes.ts";
import type { Database } from "../kit/database.ts";
import { blob, integer, nullable, text } from "../kit/sql/column.ts";
import { sql } from "../kit/sql/statement.ts";
import { partitionedTable } from "../kit/sql/table.ts";
import { decodeNotes, encodeNotes, type CommitNotes } from "./commit-notes.ts";

/** The largest row: half of the platform's 2 MB limit on one value. */
export const ROW_BYTES_MAX = 1024 * 1024;

/** Rows whose notes are held at once. */
const ROWS_PER_LOOK = 128;

/** An append is at most 30 MiB (`APPEND_BYTES_MAX`), so it never spans more rows than this. */
const ROWS_PER_APPEND_MAX = 64;

export const logTable = partitionedTable({
  kind: "stream",
  name: "log",
  partition: "first",
  columns: { position: integer(), committed_at_ms: integer(), notes: nullable(text()), bytes: blob() },
  key: ["position"],
});

export interface LogRowNotes {
  readonly position: number;
  readonly size: number;
  readonly committedAtMs: number;
  readonly notes: CommitNotes;
}

export interface LogRow extends LogRowNotes {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The rows that one commit adds. */
export interface Commit {
  readonly position: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly notes: CommitNotes;
  readonly committedAtMs: number;
}

type NotesColumns = { position: number; size: number; committed_at_ms: number; notes: string | null };
type ByteColumns = { position: number; bytes: ArrayBuffer };

const NOTES_COLUMNS = "position, length(bytes) AS size, committed_at_ms, notes";

const INSERT = logTable.insert(["position", "committed_at_ms", "notes", "bytes"]);
const NOTES_SINCE = logTable.compute<NotesColumns>(NOTES_COLUMNS, { where: "position >= ?", orderBy: "position" });
const NOTES_FROM = logTable.compute<NotesColumns>(NOTES_COLUMNS, {
  where: "position >= ?",
  orderBy: "position",
  limit: "?",
});
const ROWS_BETWEEN = logTable.compute<NotesColumns & ByteColumns>(`${NOTES_COLUMNS}, bytes`, {
  where: "position >= ? AND position < ?",
  orderBy: "position",
});
const NEWEST_NOTES = logTable.compute<NotesColumns>(NOTES_COLUMNS, {
  where: "position < ?",
  orderBy: "position DESC",
  limit: "?",
});
const NOTES_UP_TO = logTable.compute<NotesColumns>(NOTES_COLUMNS, {
  where: "position <= ?",
  orderBy: "position DESC",
  limit: "?",
});
const END_AT = logTable.compute<{ end: number }>("position + length(bytes) AS end", {
  where: "committed_at_ms <= ?",
  orderBy: "position DESC",
  limit: "1",
});
/** Where the row begins that a position lies in. */
const ROW_AT = logTable.compute("max(position)", { where: "position <= ?" });
const NOTES_FROM_ROW_AT = logTable.compute<NotesColumns>(NOTES_COLUMNS, {
  where: sql`position >= (${ROW_AT})`,
  orderBy: "position",
  limit: "?",
});
const NOTES_FROM_ROW_AT_TO = logTable.compute<NotesColumns>(NOTES_COLUMNS, {
  where: sql`position >= (${ROW_AT}) AND position < ?`,
  orderBy: "position",
  limit: "?",
});
const BYTES_FROM_ROW_AT = logTable.compute<ByteColumns>("position, bytes", {
  where: sql`position >= (${ROW_AT}) AND position < ?`,
  orderBy: "position",
});

/**
 * Appends one commit. Bytes above `ROW_BYTES_MAX` span rows; only the last of them carries the commit's notes, the
 * others say that the append goes on.
 */
export function insertRows(database: Database, table: number, { position, bytes, notes, committedAtMs }: Commit): void {
  const insert = INSERT.in(table);
  let from = 0;
  for (; bytes.length - from > ROW_BYTES_MAX; from += ROW_BYTES_MAX) {
    const part = bytes.subarray(from, from + ROW_BYTES_MAX);
    database.run(insert, position + from, committedAtMs, encodeNotes({ open: true }), part);
  }
  database.run(insert, position + from, committedAtMs, encodeNotes(notes), bytes.subarray(from));
}

/** The notes of all rows at or after a position, in order. Bounded by the distance between checkpoints. */
export function rowNotesSince(database: Database, table: number, position: number): LogRowNotes[] {
  return database.all(NOTES_SINCE.in(table), position).map(toNotes);
}

/** The notes of rows from a position on, in order, at most `limit`. */
export function rowNotesBetween(database: Database, table: number, position: number, limit: number): LogRowNotes[] {
  return database.all(NOTES_FROM.in(table), position, limit).map(toNotes);
}

/** Whole rows that begin in `[from, to)`; the caller keeps that small. */
export function rowsBetween(database: Database, table: number, from: number, to: number): LogRow[] {
  const rows = database.all(ROWS_BETWEEN.in(table), from, to);
  return rows.map((row) => ({ ...toNotes(row), bytes: new Uint8Array(row.bytes) }));
}

/** The notes of the newest rows that begin before a position, newest first. */
export function newestRowNotes(database: Database, table: number, count: number, before: number): LogRowNotes[] {
  return database.all(NEWEST_NOTES.in(table), before, count).map(toNotes);
}

/** The last append boundary of a table at or before a position; `undefined` when no row begins before it. */
export function lastRowBoundary(database: Database, table: number, position: number): number | undefined {
  const [row, ...earlier] = rowsUpTo(database, table, position);
  if (row === undefined) return undefined;
  const inside = row.notes.open === true ? undefined : endsOf(row).findLast((end) => end <= position);
  if (inside !== undefined) return inside;
  // No append ends in this row up to here: go back to the row that the append began in.
  let start = row.position;
  for (const before of earlier) {
    if (before.notes.open !== true) break;
    start = before.position;
  }
  return start;
}

/** Rows that begin at or before a position, newest first: as far back as an append may reach that they are part of. */
function rowsUpTo(database: Database, table: number, position: number): LogRowNotes[] {
  const upTo = NOTES_UP_TO.in(table);
  const newest = (count: number): LogRowNotes[] => database.all(upTo, position, count).map(toNotes);
  // Hardly any append spans rows.
  const two = newest(2);
  return two[1]?.notes.open === true ? newest(ROWS_PER_APPEND_MAX + 1) : two;
}

/** The end of a table's last row that was committed at or before an instant, in ms. */
export function lastRowEndAt(database: Database, table: number, atMs: number): number | undefined {
  return database.all(END_AT.in(table), atMs)[0]?.end;
}

/** The end of the first append of a table that ends after a position. */
export function firstRowBoundaryAfter(database: Database, table: number, position: number): number | undefined {
  for (const columns of database.all(NOTES_FROM_ROW_AT.in(table), position, ROWS_PER_APPEND_MAX + 1)) {
    const row = toNotes(columns);
    const end = row.notes.open === true ? undefined : endsOf(row).find((candidate) => candidate > position);
    if (end !== undefined) return end;
  }
  return undefined;
}

/** Where an append ends, and who wrote it; `undefined` in streams that do not record that. */
export interface RowAppend {
  readonly end: number;
  readonly author: string | null | undefined;
}

/** The first appends of a table that end in `(from, to]`, in order: at most `limit`. */
export function appendsBetween(
  database: Database,
  table: number,
  { from, to, limit }: { readonly from: number; readonly to: number; readonly limit: number },
): RowAppend[] {
  const notesBetween = NOTES_FROM_ROW_AT_TO.in(table);
  const appends: RowAppend[] = [];
  let isMore = true;
  // The notes of a row may be larger than its bytes.
  for (let start = from; isMore && appends.length < limit;) {
    const rows = database.all(notesBetween, start, to, ROWS_PER_LOOK).map(toNotes);
    appends.push(...rows.flatMap(appendsOf).filter(({ end }) => end > start && end <= to));
    const last = rows.at(-1);
    isMore = rows.length === ROWS_PER_LOOK && last !== undefined && last.size > 0;
    start = last === undefined ? to : last.position + last.size;
  }
  return appends.slice(0, limit);
}

/** The appends that end in a row, except those that only close the stream, which have no bytes. */
export function appendsOf(row: LogRowNotes): RowAppend[] {
  if (row.notes.open === true) return [];
  return endsOf(row)
    .map((end, index) => ({ end, author: row.notes.authors?.[index] }))
    .filter(({ end }, index, all) => end > (all[index - 1]?.end ?? row.position));
}

/**
 * Reads `[from, to)` of a table, or less: whole rows after the first, until about `bytesMax` bytes (one row more at the
 * most), so a short result ends at a row's end. Returns at least one byte when there are any.
 */
export function readRows(
  database: Database,
  table: number,
  { from, to, bytesMax }: { readonly from: number; readonly to: number; readonly bytesMax: number },
): Uint8Array<ArrayBuffer> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let next: number | undefined;
  for (const row of database.all(BYTES_FROM_ROW_AT.in(table), from, Math.min(to, from + bytesMax))) {
    if (next === undefined) {
      assertAtLeast("a position that is read, by the row that it lies in", from, row.position);
      assertAtLeast("the end of the row that a position lies in", row.position + row.bytes.byteLength, from);
    } else assertEqual("the beginning of a row of the log", row.position, next);
    next = row.position + row.bytes.byteLength;
    const start = Math.max(0, from - row.position);
    const end = Math.min(row.bytes.byteLength, to - row.position);
    if (end <= start) continue;
    chunks.push(new Uint8Array(row.bytes, start, end - start));
  }
  return concat(chunks);
}

/** Where each append of a row ends that does not go on in the next one. */
function endsOf(row: LogRowNotes): readonly number[] {
  return row.notes.ends?.map((end) => row.position + end) ?? [row.position + row.size];
}

function concat(chunks: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const [only] = chunks;
  // A view of a part would drag its whole buffer along over RPC.
  if (chunks.length === 1 && only !== undefined && only.length === only.buffer.byteLength) return only;
  return concatBytes(chunks);
}

function toNotes(row: NotesColumns): LogRowNotes {
  return {
    position: row.position,
    size: row.size,
    committedAtMs: row.committed_at_ms,
    notes: decodeNotes(row.notes),
  };
}
