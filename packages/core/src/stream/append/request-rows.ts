/**
 * Restores request ids after a restart. Commits store them in the notes of their own rows, so they cost an append nothing. When
 * rows move to R2, or the stream is deleted, the stream's row keeps the ids of which a copy may still arrive.
 */

import { lineageAtBase, type Lineage } from "@durable-streams-cloudflare/protocol";

import { REMEMBERED_MS } from "../../contracts/request-id.ts";
import type { Database } from "../../kit/database.ts";
import type { HotLog } from "../../log/hot-log.ts";
import type { LogRowNotes } from "../../log/log-rows.ts";
import { updateRequests, type StoredRequest } from "../tables/stream-row.ts";
import type { RequestIds } from "./request-ids.ts";

/** Rows that are read back in any case: two machines' clocks, or one that was put forward, may differ. */
const ROWS_MIN = 128;
const ROWS_PER_PAGE = 512;
const CLOCK_SKEW_MS_MAX = 30_000;
/** What one row of SQLite is to hold of them, below 1 MiB. */
const STORED_MAX = 16_384;

/** What a stream's state is to its requests. */
interface RequestState {
  readonly lineage: Lineage;
  readonly log: HotLog;
  readonly requests: RequestIds;
  /** The stream's row remembers requests whose log rows are gone. */
  hasStoredRequests: boolean;
}

/** Loads the request ids of which a copy may still arrive. They are then remembered as if they had just arrived. */
export function loadRequests(state: RequestState, stored: readonly StoredRequest[], nowMs: number): void {
  const { requests, lineage } = state;
  state.hasStoredRequests = stored.length > 0;
  for (const [id, end, incarnation] of stored) {
    const isOwn = incarnation === undefined || incarnation === lineage.incarnation;
    requests.remember(id, { lineage: isOwn ? lineageAtBase(lineage) : { incarnation, ancestors: [] }, end }, nowMs);
  }
  const sinceMs = sinceOf(state, nowMs);
  let before = Number.MAX_SAFE_INTEGER;
  for (let count = ROWS_MIN; !requests.isFull(nowMs); count = ROWS_PER_PAGE) {
    const page = state.log.newestNotes(count, before);
    for (const commit of page) rememberRequests(state, commit, nowMs);
    const oldest = page.at(-1);
    if (oldest === undefined || page.length < count || oldest.committedAtMs < sinceMs) return;
    before = oldest.position;
  }
}

/** Rows that are older than this need not be looked at: their requests are not repeated any more. */
function sinceOf({ log }: RequestState, nowMs: number): number {
  const newestMs = log.newestNotes(1)[0]?.committedAtMs ?? 0;
  return nowMs - newestMs > REMEMBERED_MS + CLOCK_SKEW_MS_MAX ? Infinity : newestMs - REMEMBERED_MS;
}

/** Adds a commit's request ids to those in memory. */
export function rememberRequests(
  state: RequestState,
  { position, size, notes }: Pick<LogRowNotes, "position" | "size" | "notes">,
  nowMs: number,
): void {
  if (notes.requestIds === undefined) return;
  const lineage = lineageAtBase(state.lineage);
  for (const [index, id] of notes.requestIds.entries()) {
    if (id === null) continue;
    state.requests.remember(id, { lineage, end: position + (notes.ends?.[index] ?? size) }, nowMs);
  }
}

/** What the stream's row must remember once the log's rows before a position are gone; `too many`: they must stay. */
export function leavingRequests(state: RequestState, to: number, nowMs: number): StoredRequest[] | "too many" {
  const { requests, lineage } = state;
  const leaving = storedForm(requests, nowMs).filter(
    ([, end, incarnation]) => incarnation !== lineage.incarnation || end <= to,
  );
  return leaving.length > STORED_MAX ? "too many" : leaving;
}

/** Updates the stream's row, in the caller's transaction. It writes one row, if anything changed. */
export function storeRequests(state: RequestState, database: Database, requests: readonly StoredRequest[]): void {
  if (requests.length === 0 && !state.hasStoredRequests) return;
  updateRequests(database, requests);
  state.hasStoredRequests = requests.length > 0;
}

/** The request ids that a new stream's row keeps from earlier streams at the same URL. */
export function requestsBefore(requests: RequestIds, nowMs: number): StoredRequest[] {
  return storedForm(requests, nowMs).slice(-STORED_MAX);
}

function storedForm(requests: RequestIds, nowMs: number): StoredRequest[] {
  return requests.recent(nowMs).map(([id, { lineage, end }]) => [id, end, lineage.incarnation]);
}
