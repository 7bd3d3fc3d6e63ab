/**
 * Table `log`: the hot log, one row per commit.
 * Key: position of the row's first byte. Value: when it was committed (ms), its notes, its bytes (at most
 * `ROW_BYTES_MAX`). Rows are contiguous: each begins where the one before it ends. `bytes` is the last column, so
 * that a look at the notes never reads a blob's overflow pages.
 *
 * A close without data is a row without bytes at the tail; nothing ever follows it.
 */

import { decodeNotes, encodeNotes, type CommitNotes } from "./commit-notes.ts";
import type { Database } from "./database.ts";

/** A comfortable half of the platform's 2 MB limit on one value. */
export const ROW_BYTES_MAX = 1024 * 1024;

/** Bytes of one page between object and edge: large enough to be quick, small enough for hundreds at once. */
export const PAGE_BYTES = 512 * 1024;

/** An append is at most 30 MiB (`APPEND_BYTES_MAX`), so it never spans more rows than this. */
const ROWS_PER_APPEND_MAX = 64;

export interface LogRowNotes {
  readonly position: number;
  readonly size: number;
  readonly committedAtMs: number;
  readonly notes: CommitNotes;
}

type NotesColumns = { position: number; size: number; committed_at_ms: number; notes: string | null };
type ByteColumns = { position: number; bytes: ArrayBuffer };

const NOTES_COLUMNS = "position, length(bytes) AS size, committed_at_ms, notes";

/**
 * Appends one commit. Bytes above `ROW_BYTES_MAX` span rows; only the last of them carries the commit's notes, the
 * others say that the append goes on.
 */
export function insertCommit(
  database: Database,
  position: number,
  bytes: Uint8Array<ArrayBuffer>,
  notes: CommitNotes,
  committedAtMs: number,
): void {
  let from = 0;
  for (; bytes.length - from > ROW_BYTES_MAX; from += ROW_BYTES_MAX) {
    const part = bytes.subarray(from, from + ROW_BYTES_MAX);
    insertRow(database, position + from, part, { open: true }, committedAtMs);
  }
  insertRow(database, position + from, bytes.subarray(from), notes, committedAtMs);
}

/** The notes of all rows at or after a position, in order. Bounded by the distance between checkpoints. */
export function notesSince(database: Database, position: number): LogRowNotes[] {
  const sql = `SELECT ${NOTES_COLUMNS} FROM log WHERE position >= ? ORDER BY position`;
  return database.all<NotesColumns>(sql, position).map(toNotes);
}

/** The notes of the newest rows, newest first. */
export function newestNotes(database: Database, count: number): LogRowNotes[] {
  const sql = `SELECT ${NOTES_COLUMNS} FROM log ORDER BY position DESC LIMIT ?`;
  return database.all<NotesColumns>(sql, count).map(toNotes);
}

/** Whether a position between the beginning and the tail is one that an append ended at, hence a real offset. */
export function isAppendBoundary(database: Database, position: number): boolean {
  return lastBoundaryAtOrBefore(database, position) === position;
}

/** The last append boundary at or before a position: where a read may be cut. */
export function lastBoundaryAtOrBefore(database: Database, position: number): number {
  const sql = `SELECT ${NOTES_COLUMNS} FROM log WHERE position <= ? ORDER BY position DESC LIMIT ?`;
  const [row, ...earlier] = database.all<NotesColumns>(sql, position, ROWS_PER_APPEND_MAX + 1).map(toNotes);
  if (row === undefined) return 0;
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

/**
 * The end of the first append that ends after a position: how far a read must reach at least.
 * @returns `undefined` at the tail.
 */
export function firstBoundaryAfter(database: Database, position: number): number | undefined {
  const sql = `SELECT ${NOTES_COLUMNS} FROM log
               WHERE position >= (SELECT max(position) FROM log WHERE position <= ?) ORDER BY position LIMIT ?`;
  for (const columns of database.all<NotesColumns>(sql, position, ROWS_PER_APPEND_MAX + 1)) {
    const row = toNotes(columns);
    const end = row.notes.open === true ? undefined : endsOf(row).find((candidate) => candidate > position);
    if (end !== undefined) return end;
  }
  return undefined;
}

/**
 * Reads `[from, to)`, or less: whole rows after the first, until about `bytesMax` bytes (one row more at the most), so
 * a short result ends at a row's end. Returns at least one byte when there are any.
 */
export function readRange(database: Database, from: number, to: number, bytesMax: number): Uint8Array<ArrayBuffer> {
  const sql = `SELECT position, bytes FROM log
               WHERE position >= (SELECT max(position) FROM log WHERE position <= ?) AND position < ? ORDER BY position`;
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for (const row of database.all<ByteColumns>(sql, from, Math.min(to, from + bytesMax))) {
    const start = Math.max(0, from - row.position);
    const end = Math.min(row.bytes.byteLength, to - row.position);
    if (end <= start) continue;
    pieces.push(new Uint8Array(row.bytes, start, end - start));
    size += end - start;
  }
  return concat(pieces, size);
}

function concat(pieces: readonly Uint8Array<ArrayBuffer>[], size: number): Uint8Array<ArrayBuffer> {
  const [only] = pieces;
  // A view of a part would drag its whole buffer along over RPC.
  if (pieces.length === 1 && only !== undefined && only.length === only.buffer.byteLength) return only;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function insertRow(
  database: Database,
  position: number,
  bytes: Uint8Array<ArrayBuffer>,
  notes: CommitNotes,
  committedAtMs: number,
): void {
  const sql = "INSERT INTO log (position, committed_at_ms, notes, bytes) VALUES (?, ?, ?, ?)";
  database.run(sql, position, committedAtMs, encodeNotes(notes), bytes);
}

function endsOf(row: LogRowNotes): readonly number[] {
  return row.notes.ends?.map((end) => row.position + end) ?? [row.position + row.size];
}

function toNotes(row: NotesColumns): LogRowNotes {
  return {
    position: row.position,
    size: row.size,
    committedAtMs: row.committed_at_ms,
    notes: decodeNotes(row.notes),
  };
}
