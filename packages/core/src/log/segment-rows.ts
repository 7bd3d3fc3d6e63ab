/**
 * Table `segments`: the cold part of the stream, one row per object in R2. Key: position of the segment's first byte.
 * Value: where it ends, when the last of it was committed (ms), its sparse index. Written when a table of the hot log has
 * become a segment, in the transaction that drops the table; created by the first of them. Segments are contiguous.
 *
 * The sparse index has two 32-bit numbers a block: bytes of its payload, bytes that it takes in the object.
 */

import type { ColdSlice } from "../contracts/cold-slice.ts";
import { assertAtLeast, assertEqual } from "../kit/assert.ts";
import { firstRow, type Database } from "../kit/database.ts";
import { blob, integer, type RowOf } from "../kit/sql/column.ts";
import { sql } from "../kit/sql/statement.ts";
import { table } from "../kit/sql/table.ts";
import { HEADER_BYTES, type BlockSizes, type SegmentRange } from "./segment-format.ts";

export const segmentsTable = table({
  kind: "stream",
  name: "segments",
  columns: { first: integer(), last: integer(), committed_at_ms: integer(), blocks: blob() },
  key: ["first"],
  since: 2,
});

const RANGE = ["first", "last", "committed_at_ms"] as const;

const INSERT = segmentsTable.insert(["first", "last", "committed_at_ms", "blocks"]);
const HAS_ANY = segmentsTable.exists();
const LAST_UP_TO = segmentsTable.select(RANGE, { where: "first <= ?", orderBy: "first DESC", limit: "1" });
const FROM = segmentsTable.select(RANGE, { where: "first >= ?", orderBy: "first", limit: "?" });
const DELETE = segmentsTable.delete("first = ?");
const SEGMENT_AT = segmentsTable.compute("max(first)", { where: "first <= ?" });
const BLOCKS_BETWEEN = segmentsTable.select(["first", "last", "blocks"], {
  where: sql`first >= (${SEGMENT_AT}) AND first < ?`,
  orderBy: "first",
  limit: "?",
});

export interface SegmentRow {
  readonly first: number;
  readonly last: number;
  readonly committedAtMs: number;
}

/** Segments that one answer of an object speaks of. */
const SLICES_MAX = 16;

export function insertSegment(
  database: Database,
  { first, last, committedAtMs }: SegmentRow,
  blocks: readonly BlockSizes[],
): void {
  assertAtLeast("the end of a new segment", last, first + 1);
  const payload = blocks.reduce((sum, { payloadBytes }) => sum + payloadBytes, 0);
  assertEqual("the bytes in the blocks of a new segment", payload, last - first);
  if (!database.tables.has(segmentsTable)) database.tables.create(segmentsTable);
  database.run(INSERT, first, last, committedAtMs, encodeBlocks(blocks));
}

export function hasSegments(database: Database): boolean {
  return database.tables.has(segmentsTable) && firstRow(database, HAS_ANY) !== undefined;
}

/** The segment that a position before the hot log lies in: there are segments. */
export function segmentAt(database: Database, position: number): SegmentRow | undefined {
  const row = firstRow(database, LAST_UP_TO, position);
  return row === undefined || row.last <= position ? undefined : toSegment(row);
}

/** Segments that begin at or after a position, oldest first, at most `limit`. */
export function segmentsFrom(database: Database, position: number, limit: number): SegmentRow[] {
  if (!database.tables.has(segmentsTable)) return [];
  return database.all(FROM, position, limit).map(toSegment);
}

export function deleteSegment(database: Database, first: number): void {
  database.run(DELETE, first);
}

/**
 * Where the bytes `[from, to)` lie in R2, or the first of them: the segments that one answer may speak of. They begin before
 * the hot log, so there are segments.
 * @param name the stream's full name.
 */
export function coldSlices(
  database: Database,
  { name, incarnation }: { readonly name: string; readonly incarnation: number },
  from: number,
  to: number,
): ColdSlice[] {
  const rows = database.all(BLOCKS_BETWEEN, from, to, SLICES_MAX);
  for (const [index, { first }] of rows.entries()) {
    assertEqual("the beginning of a segment", first, rows[index - 1]?.last ?? first);
  }
  return rows.map(({ first, last, blocks }) => {
    const range = { incarnation, first, last };
    const wanted = { from: Math.max(from, first), to: Math.min(to, last) };
    return { key: segmentKey(name, range), incarnation, ...wanted, ...extentOf(first, blocks, wanted) };
  });
}

/**
 * The name of a segment's object, below 1,024 bytes because names have at most 400. No part of a stream's name is
 * empty, so what stands before `//` is the whole name, and no stream's objects are below another's prefix.
 */
export function segmentKey(name: string, { incarnation, first, last }: SegmentRange): string {
  return `${segmentPrefix(name, incarnation)}${digits(first)}-${digits(last)}`;
}

/** The prefix of the keys of one incarnation's objects, and of no others. */
export function segmentPrefix(name: string, incarnation: number): string {
  return `${segmentsPrefix(name)}${digits(incarnation)}/`;
}

/** The prefix of the keys of the objects of all streams at one URL, and of no others. */
export function segmentsPrefix(name: string): string {
  return `v1/${name}//`;
}

/** The blocks that have any of the bytes wanted: where they are in the object, and where the first one begins. */
function extentOf(
  first: number,
  blocks: ArrayBuffer,
  { from, to }: { readonly from: number; readonly to: number },
): Pick<ColdSlice, "offset" | "end" | "position"> {
  const sizes = new DataView(blocks);
  let extent: { offset: number; end: number; position: number } | undefined;
  let offset = HEADER_BYTES;
  let position = first;
  for (let at = 0; at < blocks.byteLength && position < to; at += 8) {
    const next = position + sizes.getUint32(at);
    const end = offset + sizes.getUint32(at + 4);
    if (next > from) extent = { offset: extent?.offset ?? offset, end, position: extent?.position ?? position };
    offset = end;
    position = next;
  }
  if (extent === undefined) throw new Error("A segment's index does not cover its range.");
  return extent;
}

function encodeBlocks(blocks: readonly BlockSizes[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(blocks.length * 8));
  for (const [index, { payloadBytes, storedBytes }] of blocks.entries()) {
    view.setUint32(index * 8, payloadBytes);
    view.setUint32(index * 8 + 4, storedBytes);
  }
  return new Uint8Array(view.buffer);
}

function digits(number: number): string {
  return String(number).padStart(16, "0");
}

function toSegment({
  first,
  last,
  committed_at_ms: committedAtMs,
}: RowOf<typeof segmentsTable.columns, (typeof RANGE)[number]>): SegmentRow {
  return { first, last, committedAtMs };
}
