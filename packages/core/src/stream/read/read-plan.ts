/**
 * Plans a read: which streams hold the range, how far it goes, and for this stream's own part either bytes of the hot log or
 * where the bytes are in R2. Cold bytes never pass through the object.
 */

import { inheritedStretches, LINE_BYTES_MAX, type Stretch } from "@durable-streams-cloudflare/protocol";

import type { PageCommand, PageResult } from "../../contracts/stream.ts";
import { PAGE_BYTES } from "../../log/hot-log.ts";
import { ROW_BYTES_MAX } from "../../log/log-rows.ts";
import { coldSlices, segmentAt } from "../../log/segment-rows.ts";
import type { StreamHost } from "../host.ts";
import type { StreamState } from "../state.ts";

type Own = Pick<StreamHost, "database" | "name">;

/** Which stream holds which part of a range: ancestors first, then this stream itself. */
export function stretchesOf(state: StreamState, { name }: Own, from: number, to: number): Stretch[] {
  const { incarnation } = state.lineage;
  const own = { name, incarnation, from: Math.max(from, state.base), to };
  return [...inheritedStretches(state.lineage, from, to), ...(own.from < own.to ? [own] : [])];
}

/** Where a response ends: at the tail, or at an earlier append boundary when the range is too large for one response. */
export function readEnd(state: StreamState, { database }: Own, from: number, bytesMax: number): number {
  if (state.tail - from <= bytesMax) return state.tail;
  if (from >= state.base) return cutOwn(state, database, from, bytesMax);
  // Inside inherited bytes only their owners know where appends end, but every fork point is a good place.
  const ends = inheritedStretches(state.lineage, from, state.base).map(({ to }) => to);
  return ends.findLast((end) => end - from <= bytesMax) ?? ends[0] ?? state.base;
}

/** A part of the stream's own bytes, from a position on: at least one byte, if the range has any. */
export function ownPage(
  state: StreamState,
  { database, name }: Own,
  { from, to, paging }: Pick<PageCommand, "from" | "to" | "paging">,
): PageResult {
  const { log, lineage } = state;
  if (from < log.first) {
    const { incarnation } = lineage;
    const cold = coldSlices(database, { name, incarnation }, from, Math.min(to, log.first));
    return { page: new Uint8Array(), end: from, cold };
  }
  if (paging === "bytes") {
    const page = log.readRange(from, to, PAGE_BYTES);
    return { page, end: from + page.length, cold: [] };
  }
  const end = appendsEnd(state, from, to, PAGE_BYTES);
  const isLarge = end - from > ROW_BYTES_MAX;
  const page = log.readRange(from, end, isLarge ? PAGE_BYTES : ROW_BYTES_MAX);
  const cuts = isLarge ? [] : eventCuts(state, from, end);
  return { page, end, cold: [], ...(cuts.length === 0 ? {} : { cuts }) };
}

/** Where a page is cut so that each chunk fits into one line of an event stream, unless one append does not. */
function eventCuts(state: StreamState, from: number, end: number): number[] {
  const cuts: number[] = [];
  for (
    let at = appendsEnd(state, from, end, LINE_BYTES_MAX);
    at < end;
    at = appendsEnd(state, at, end, LINE_BYTES_MAX)
  ) {
    cuts.push(at);
  }
  return cuts;
}

/** In the cold part a range is cut where a segment ends, or the log begins: only R2 knows the appends between. */
function cutOwn(state: StreamState, database: Own["database"], from: number, bytesMax: number): number {
  const { log, tail } = state;
  if (from >= log.first) return appendsEnd(state, from, tail, bytesMax);
  const place = from + bytesMax;
  if (place >= log.first) return log.lastBoundaryAtOrBefore(place);
  const segment = segmentAt(database, place);
  if (segment === undefined) return log.first;
  return segment.first > from ? segment.first : segment.last;
}

/** The end of the range, or an append's end before it when the range is larger than it may be. */
function appendsEnd({ log }: Pick<StreamState, "log">, from: number, to: number, bytesMax: number): number {
  if (to - from <= bytesMax) return to;
  const cut = log.lastBoundaryAtOrBefore(from + bytesMax);
  return cut > from ? cut : Math.min(to, log.firstBoundaryAfter(from) ?? to);
}
