/**
 * The hot log: the newest bytes of a stream, in one or more tables: the partitions of `log`. Appends go to the newest; the
 * others are frozen. A frozen table is dropped as a whole, which writes no rows where an object has a database to itself.
 *
 * A partition is called by its first position: no byte of its rows lies before that, and it ends where the next one begins.
 * The first of a stream is 0. Which partitions there are is read once.
 */

import type { Authors } from "../contracts/authors.ts";
import { assertAtLeast, assertEqual } from "../kit/assert.ts";
import type { Database } from "../kit/database.ts";
import type { CommitNotes } from "./commit-notes.ts";
import {
  appendsBetween,
  firstRowBoundaryAfter,
  insertRows,
  lastRowBoundary,
  lastRowEndAt,
  logTable,
  newestRowNotes,
  readRows,
  rowNotesBetween,
  rowNotesSince,
  rowsBetween,
  type LogRow,
  type LogRowNotes,
  type RowAppend,
} from "./log-rows.ts";

/** Bytes of one page between object and edge: large enough to be quick, small enough for hundreds at once. */
export const PAGE_BYTES = 512 * 1024;

/** A range that is kept in memory when it has been read: little enough for thousands of objects in one isolate. */
const KEPT_BYTES_MAX = 16 * 1024;

/** The most appends that are delivered together: an append takes more bytes in a follower than in its source. */
export const APPENDS_PER_PULL = 2_048;

/** A table that holds bytes `[first, last)`, or fewer of a fork's first, whose bytes begin at its fork point. */
export interface FrozenTable {
  readonly first: number;
  readonly last: number;
}

/** Whole appends: where each ends, relative to the first byte, in order. */
export interface Appends {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly ends: readonly number[];
  /** Who wrote each of them; absent in streams that do not record that. */
  readonly authors?: Authors | undefined;
}

/** The authors of appends, if they are recorded: that is so for all of a stream's, or for none. */
export function authorsOf(appends: readonly { readonly author: string | null | undefined }[]): Authors | undefined {
  return appends.some(({ author }) => author !== undefined) ? appends.map(({ author = null }) => author) : undefined;
}

export class HotLog {
  readonly #database: Database;
  /** Where each table begins, in order; never empty. */
  readonly #firsts: number[];
  /**
   * What was read last, if it is small: between two appends all who read what is new read the same. The bytes of a position
   * never change, so it is right for ever.
   */
  #kept: { readonly from: number; readonly bytes: Uint8Array<ArrayBuffer> } = { from: 0, bytes: new Uint8Array() };

  /** Where the next commit begins; `undefined`: no commit has been written or read back yet. */
  #end: number | undefined;

  /** Of a stream that is being made, by default. */
  constructor(database: Database, firsts: readonly number[] = [0]) {
    this.#database = database;
    this.#firsts = [...firsts];
  }

  static load(database: Database): HotLog {
    return new HotLog(database, database.tables.partitions(logTable));
  }

  /** Where the hot log begins: whatever lies before is cold. */
  get first(): number {
    return this.#firsts[0] ?? 0;
  }

  /** The tables that nothing is appended to any more, oldest first. */
  get frozen(): FrozenTable[] {
    return this.#firsts.slice(1).map((last, index) => ({ first: this.#firsts[index] ?? 0, last }));
  }

  /** @throws AssertionFailed when a position is not where the log ends. */
  assertEnd(what: string, position: number): void {
    this.#end ??= position;
    assertEqual(what, position, this.#end);
  }

  /** A commit is written for good, or was read back: the next one begins where it ends. */
  committed({ position, size }: Pick<LogRowNotes, "position" | "size">): void {
    this.assertEnd("the beginning of a commit", position);
    this.#end = position + size;
  }

  /** Appends one commit, in the transaction of the caller. */
  insertCommit(position: number, bytes: Uint8Array<ArrayBuffer>, notes: CommitNotes, committedAtMs: number): void {
    assertAtLeast("the beginning of a new commit in the newest table", position, this.newestFirst);
    assertAtLeast("the bytes of a new commit", bytes.length, notes.closed === undefined ? 1 : 0);
    assertEnds(notes.ends, bytes.length);
    insertRows(this.#database, this.newestFirst, { position, bytes, notes, committedAtMs });
  }

  /** The notes of all rows at or after a position, in order. Bounded by the distance between checkpoints. */
  notesSince(position: number): LogRowNotes[] {
    const start = this.#indexOf(position);
    return this.#firsts.slice(start).flatMap((first) => rowNotesSince(this.#database, first, position));
  }

  /** Where the log ended at an instant; `undefined` when all of it came later. */
  endAt(atMs: number): number | undefined {
    for (const first of this.#firsts.toReversed()) {
      const end = lastRowEndAt(this.#database, first, atMs);
      if (end !== undefined) return end;
    }
    return undefined;
  }

  /** The notes of the newest rows that begin before a position, newest first. */
  newestNotes(count: number, before = Number.MAX_SAFE_INTEGER): LogRowNotes[] {
    const newest: LogRowNotes[] = [];
    for (const first of this.#firsts.toReversed()) {
      newest.push(...newestRowNotes(this.#database, first, count - newest.length, before));
      if (newest.length === count) break;
    }
    return newest;
  }

  /** The last append boundary at or before a position: where a read may be cut, and what an offset stands for. */
  lastBoundaryAtOrBefore(position: number): number {
    const first = this.#firstOf(position);
    return lastRowBoundary(this.#database, first, position) ?? first;
  }

  /**
   * The end of the first append that ends after a position: how far a read must reach at least.
   * @returns `undefined` at the tail.
   */
  firstBoundaryAfter(position: number): number | undefined {
    return firstRowBoundaryAfter(this.#database, this.#firstOf(position), position);
  }

  /**
   * Reads `[from, to)`, or less: until about `bytesMax` bytes (one row more at the most), or the end of a table. A short
   * result ends at a row's end. Returns at least one byte when there are any.
   */
  readRange(from: number, to: number, bytesMax: number): Uint8Array<ArrayBuffer> {
    if (from === to) return new Uint8Array();
    const { from: keptFrom, bytes: kept } = this.#kept;
    const isKept = from >= keptFrom && to <= keptFrom + kept.length && to - from <= bytesMax;
    if (isKept) return kept.slice(from - keptFrom, to - keptFrom);
    const bytes = readRows(this.#database, this.#firstOf(from), { from, to, bytesMax });
    if (bytes.length <= KEPT_BYTES_MAX) this.#kept = { from, bytes: bytes.slice() };
    return bytes;
  }

  /**
   * Whole appends from a position on: about `bytesMax` bytes of them, or one that is larger, and all from one table.
   * @param from where an append begins.
   */
  readAppends(from: number, to: number, bytesMax: number): Appends {
    const first = this.#firstOf(from);
    const next = this.#firsts.find((other) => other > first) ?? Infinity;
    const limit = Math.min(to, next, from + bytesMax);
    const within = appendsBetween(this.#database, first, { from, to: limit, limit: APPENDS_PER_PULL });
    const appends = within.length > 0 ? within : this.#largeAppend(first, from, to);
    const end = appends.at(-1)?.end ?? from;
    const bytes = readRows(this.#database, first, { from, to: end, bytesMax: end - from });
    assertEqual("the end of whole appends", from + bytes.length, end);
    return { bytes, ends: appends.map((append) => append.end - from), authors: authorsOf(appends) };
  }

  /**
   * Begins a new table at the tail, and freezes the one before it.
   * @param tail greater than where the newest table begins: a table without bytes cannot be frozen.
   * @param alongside what else to write in the same transaction.
   */
  seal(tail: number, alongside: () => void): void {
    this.#database.transaction(() => {
      this.#database.tables.createPartition(logTable, tail);
      alongside();
    });
    this.#firsts.push(tail);
  }

  /** Notes of a table's rows from a position on, at most `limit`. */
  tableNotes(first: number, position: number, limit: number): LogRowNotes[] {
    return rowNotesBetween(this.#database, first, position, limit);
  }

  /** Rows of a table that begin in `[from, to)`. */
  tableRows(first: number, from: number, to: number): LogRow[] {
    return rowsBetween(this.#database, first, from, to);
  }

  /**
   * Drops the oldest table.
   * @param alongside what else to write in the same transaction.
   */
  dropOldest(alongside: () => void): void {
    this.#database.transaction(() => {
      alongside();
      this.#database.tables.dropPartition(logTable, this.first);
    });
    this.#firsts.shift();
  }

  /** Where the newest table begins: with no row in it, the tail. */
  get newestFirst(): number {
    return this.#firsts.at(-1) ?? 0;
  }

  /** The one that begins here and is larger than was asked for, if there is any. */
  #largeAppend(first: number, from: number, to: number): RowAppend[] {
    const end = Math.min(to, this.firstBoundaryAfter(from) ?? from);
    return end === from ? [] : appendsBetween(this.#database, first, { from, to: end, limit: 1 });
  }

  #firstOf(position: number): number {
    return this.#firsts[this.#indexOf(position)] ?? 0;
  }

  #indexOf(position: number): number {
    return Math.max(
      0,
      this.#firsts.findLastIndex((first) => first <= position),
    );
  }
}

/** Ends of the appends of one commit: in order, and the last is the commit's. One that only closes has no bytes. */
function assertEnds(ends: readonly number[] | undefined, size: number): void {
  if (ends === undefined) return;
  let before = 0;
  for (const end of ends) {
    assertAtLeast("the end of an append of a new commit", end, before);
    before = end;
  }
  assertEqual("the end of the last append of a new commit", before, size);
}
