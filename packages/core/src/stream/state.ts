/** A stream's state in memory, and how it is loaded from disk. */

import {
  basePosition,
  deadlineMs,
  type Lifetime,
  type Lineage,
  type ProducerClaim,
  type ProducerState,
  type Retention,
} from "@durable-streams-cloudflare/protocol";

import { assertAtLeast } from "../kit/assert.ts";
import type { Database } from "../kit/database.ts";
import { RecentMap } from "../kit/recent-map.ts";
import { HotLog } from "../log/hot-log.ts";
import type { LogRowNotes } from "../log/log-rows.ts";
import { RequestIds } from "./append/request-ids.ts";
import { loadRequests } from "./append/request-rows.ts";
import { mintedAfterMs } from "./lifecycle/incarnation.ts";
import { readProducer, upsertProducers } from "./tables/producer-rows.ts";
import {
  readStreamRow,
  updateQuotaGrant,
  updateCheckpoint,
  type Origin,
  type StreamKind,
} from "./tables/stream-row.ts";

/** A checkpoint is written when so many commits, or so many producers, are known only from the log's notes. */
const CHECKPOINT_COMMITS = 1_000;
const CHECKPOINT_PRODUCERS = 1_000;
/** Or when the names of authors in those notes have so many characters: a restart reads all of them at once. */
const CHECKPOINT_AUTHOR_CHARACTERS = 4 * 1024 * 1024;

/** Producers held in memory beyond those; the oldest go first. */
const PRODUCER_CACHE_MAX = 4_096;

export interface Closure {
  /** The producer's claim that closed the stream, if a producer did. */
  readonly by?: ProducerClaim;
}

export interface StreamState {
  readonly lineage: Lineage;
  readonly log: HotLog;
  /** Where the stream's own bytes begin: 0, or a fork's fork point. */
  readonly base: number;
  readonly contentType: string;
  readonly lifetime: Lifetime;
  readonly retention: Retention;
  /** Where the stream begins: 0, unless retention has let go of something, of this stream or of what it was forked from. */
  earliest: number;
  /** Of a fork. */
  readonly origin: Origin | undefined;
  readonly kind: StreamKind;
  /** Whether the notes of its appends say who wrote them. */
  readonly recordsAuthors: boolean;
  /** The token with which followers want to be notified of appends, if there are any. */
  followed: number | null;
  /** Bytes that it may store; `null`: as many as it likes. */
  quotaGrant: number | null;
  /** The subscriptions that want to be woken by appends, by their full names. */
  consumers: readonly string[];
  /** Deleted by its owner, but forks read from it. */
  deleted: boolean;
  /** An older server has written it, perhaps one without a directory of streams. */
  wasOlder?: true;
  /** Last renewal of a sliding lifetime; `persistedTouchMs` is what the disk knows of it. */
  touchedAtMs: number;
  persistedTouchMs: number;
  tail: number;
  streamSeq: string | undefined;
  closure: Closure | undefined;
  commitsSinceCheckpoint: number;
  /** Characters of authors' names in the notes of those commits. */
  authorCharacters: number;
  /** Producers whose newest state is only in the log's notes. */
  readonly uncheckpointed: Map<string, ProducerState>;
  /** Producers that were looked up or checkpointed lately. */
  readonly producerCache: RecentMap<ProducerState>;
  /** When it was made, in ms; of a stream that was read back, not later than that. */
  createdAtMs: number;
  /** The requests that this object has carried out lately, also on earlier streams at this URL. */
  readonly requests: RequestIds;
  /** The stream's row remembers requests whose log rows are gone. */
  hasStoredRequests: boolean;
}

export interface NewStream {
  readonly incarnation: number;
  readonly contentType: string;
  readonly lifetime: Lifetime;
  readonly retention: Retention;
  readonly earliest: number;
  readonly touchedAtMs: number;
  readonly origin: Origin | undefined;
  /** `plain` by default. */
  readonly kind?: StreamKind;
  /** No by default. */
  readonly recordsAuthors?: boolean;
}

/** @param requests of the object: they outlive the stream. */
export function newState(fields: NewStream, log: HotLog, requests = new RequestIds()): StreamState {
  const { incarnation, contentType, lifetime, retention, earliest, touchedAtMs, origin } = fields;
  const { kind = "plain", recordsAuthors = false } = fields;
  const lineage = { incarnation, ancestors: origin?.ancestors ?? [] };
  const base = basePosition(lineage);
  return {
    lineage,
    log,
    base,
    contentType,
    lifetime,
    retention,
    earliest,
    origin,
    kind,
    recordsAuthors,
    followed: null,
    quotaGrant: null,
    consumers: [],
    deleted: false,
    touchedAtMs,
    persistedTouchMs: touchedAtMs,
    tail: base,
    streamSeq: undefined,
    closure: undefined,
    commitsSinceCheckpoint: 0,
    authorCharacters: 0,
    uncheckpointed: new Map(),
    producerCache: new RecentMap(PRODUCER_CACHE_MAX),
    createdAtMs: touchedAtMs,
    requests,
    hasStoredRequests: false,
  };
}

/** Loads the stream: its row, then the log's notes since the last checkpoint. */
export function loadState(database: Database, nowMs: number, requests = new RequestIds()): StreamState | undefined {
  const upgraded = database.tables.upgrade();
  if (upgraded === "empty") return undefined;
  const row = readStreamRow(database);
  if (row === undefined) return undefined;
  const log = HotLog.load(database);
  const state = newState(row, log, requests);
  if (upgraded === "upgraded") state.wasOlder = true;
  state.createdAtMs = mintedAfterMs(row.incarnation);
  state.streamSeq = row.streamSeq;
  state.closure = row.closure;
  state.deleted = row.deleted;
  state.followed = row.followed;
  state.quotaGrant = row.quotaGrant;
  state.consumers = row.consumers;
  for (const commit of log.notesSince(row.checkpointPosition)) applyCommit(state, commit);
  loadRequests(state, row.requests, nowMs);
  const [last] = log.newestNotes(1);
  state.tail = last === undefined ? Math.max(state.base, log.newestFirst) : last.position + last.size;
  log.assertEnd("the tail of a stream that was read back", state.tail);
  assertAtLeast("the tail, by the last checkpoint", state.tail, row.checkpointPosition);
  // A renewal is written only once per tenth of the window (`touch`), so the disk may be that much behind. Renewed
  // never too little: a stream may outlive its window by a tenth after a restart, but never ends early.
  const lastAppendMs = isRenewedByAppends(state) ? last?.committedAtMs : undefined;
  state.persistedTouchMs = Math.max(row.touchedAtMs, lastAppendMs ?? 0);
  state.touchedAtMs = Math.max(
    state.persistedTouchMs,
    Math.min(nowMs, state.persistedTouchMs + touchGranularityMs(state)),
  );
  return state;
}

/** Applies one commit, just written or loaded, to the state. */
export function applyCommit(state: StreamState, commit: LogRowNotes): void {
  const { notes } = commit;
  state.log.committed(commit);
  state.tail = commit.position + commit.size;
  state.commitsSinceCheckpoint += 1;
  for (const author of notes.authors ?? []) state.authorCharacters += author?.length ?? 0;
  if (notes.streamSeq !== undefined) state.streamSeq = notes.streamSeq;
  if (notes.closed !== undefined) state.closure = notes.closed;
  for (const { id, epoch, seq } of notes.producers ?? []) state.uncheckpointed.set(id, { epoch, seq });
}

export function findProducer(state: StreamState, database: Database, id: string): ProducerState | undefined {
  const known = state.uncheckpointed.get(id) ?? state.producerCache.get(id);
  if (known !== undefined) return known;
  const stored = readProducer(database, id);
  if (stored !== undefined) state.producerCache.set(id, stored);
  return stored;
}

export function needsCheckpoint(state: StreamState): boolean {
  return (
    state.commitsSinceCheckpoint >= CHECKPOINT_COMMITS ||
    state.uncheckpointed.size >= CHECKPOINT_PRODUCERS ||
    state.authorCharacters >= CHECKPOINT_AUTHOR_CHARACTERS
  );
}

/**
 * Folds what the notes say into the tables, so that a restart reads few rows. Costs a row per producer and one for the
 * stream, once in a thousand commits.
 */
export function writeCheckpoint(state: StreamState, database: Database): void {
  database.transaction(() => insertCheckpoint(state, database));
  forgetCheckpointed(state);
}

/**
 * Freezes the newest table of the log and begins another. A checkpoint goes with it, because the notes leave the object
 * together with their rows.
 */
export function sealLog(state: StreamState, database: Database): void {
  state.log.seal(state.tail, () => insertCheckpoint(state, database));
  forgetCheckpointed(state);
}

function insertCheckpoint(state: StreamState, database: Database): void {
  const { tail, streamSeq, closure, persistedTouchMs } = state;
  state.log.assertEnd("the position of a checkpoint", tail);
  upsertProducers(database, state.uncheckpointed);
  updateCheckpoint(database, { position: tail, streamSeq, closure, touchedAtMs: persistedTouchMs });
}

function forgetCheckpointed(state: StreamState): void {
  for (const [id, producer] of state.uncheckpointed) state.producerCache.set(id, producer);
  state.uncheckpointed.clear();
  state.commitsSinceCheckpoint = 0;
  state.authorCharacters = 0;
}

/** What is delivered into a session says nothing about whether anybody reads it. */
export function isRenewedByAppends({ kind }: Pick<StreamState, "kind">): boolean {
  return kind === "plain";
}

/** Bytes that the stream stores itself: not those that a fork has inherited. */
export function storedBytes({ tail, base, earliest }: StreamState): number {
  return tail - Math.max(base, earliest);
}

/** Stores what the project lets it store. One row, if that has changed. */
export function setQuotaGrant(state: StreamState, database: Database, quotaGrant: number | null): void {
  if (state.quotaGrant === quotaGrant) return;
  updateQuotaGrant(database, quotaGrant);
  state.quotaGrant = quotaGrant;
}

/** How long a renewal may stay in memory only: 10 % of the TTL. */
export function touchGranularityMs(state: Pick<StreamState, "lifetime">): number {
  return state.lifetime.kind === "ttl" ? state.lifetime.ttlSeconds * 100 : 0;
}

/** When the stream ends unless it is renewed, in ms. */
export function stateDeadlineMs(state: StreamState): number | undefined {
  return deadlineMs(state.lifetime, state.touchedAtMs);
}
