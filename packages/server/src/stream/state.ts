/** What an object keeps in memory about its stream, and how it comes back from disk. */

import {
  basePosition,
  deadlineMs,
  type Lifetime,
  type Lineage,
  type ProducerClaim,
  type ProducerState,
  type Retention,
} from "@durable-streams-cloudflare/protocol";

import type { Database } from "../storage/database.ts";
import { HotLog } from "../storage/hot-log.ts";
import type { LogRowNotes } from "../storage/log-rows.ts";
import { readProducer, upsertProducer } from "../storage/producer-rows.ts";
import { hasSchema, upgradeSchema } from "../storage/schema.ts";
import {
  readStreamRow,
  updateAllowance,
  updateAttempts,
  updateCheckpoint,
  type Origin,
  type StreamKind,
} from "../storage/stream-row.ts";
import { RecentMap } from "./recent-map.ts";

/** A checkpoint is written when so many commits, or so many producers, are known only from the log's notes. */
const CHECKPOINT_COMMITS = 1_000;
const CHECKPOINT_PRODUCERS = 1_000;

/** Producers and attempts held in memory beyond those; the oldest go first. */
const PRODUCER_CACHE_MAX = 4_096;
const ATTEMPTS_MAX = 4_096;
/** Rows looked at for attempts after a restart: the edge repeats a lost call within seconds. */
const ATTEMPT_ROWS = 128;
/** Attempts kept when the rows that remember them leave the object. */
const ATTEMPTS_SEALED = 1_024;

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
  /** The token by which followers want to be told of appends, if there are any. */
  followed: number | null;
  /** Bytes that it may store; `null`: as many as it likes. */
  allowance: number | null;
  /** The subscriptions that want to be woken by appends, by their full names. */
  consumers: readonly string[];
  /** Deleted by its owner, but forks read from it. */
  deleted: boolean;
  /** Last renewal of a sliding lifetime; `persistedTouchMs` is what the disk knows of it. */
  touchedAtMs: number;
  persistedTouchMs: number;
  tail: number;
  streamSeq: string | undefined;
  closure: Closure | undefined;
  commitsSinceCheckpoint: number;
  /** Producers whose newest state is only in the log's notes. */
  readonly uncheckpointed: Map<string, ProducerState>;
  /** Producers that were looked up or checkpointed lately. */
  readonly producerCache: RecentMap<ProducerState>;
  /** Attempts of recent appends, and where each append ended. */
  readonly attempts: RecentMap<number>;
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

export function newState(facts: NewStream, log: HotLog): StreamState {
  const { incarnation, contentType, lifetime, retention, earliest, touchedAtMs, origin } = facts;
  const { kind = "plain", recordsAuthors = false } = facts;
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
    allowance: null,
    consumers: [],
    deleted: false,
    touchedAtMs,
    persistedTouchMs: touchedAtMs,
    tail: base,
    streamSeq: undefined,
    closure: undefined,
    commitsSinceCheckpoint: 0,
    uncheckpointed: new Map(),
    producerCache: new RecentMap(PRODUCER_CACHE_MAX),
    attempts: new RecentMap(ATTEMPTS_MAX),
  };
}

/** Reads the stream back: its row, then what the log's notes say since the last checkpoint. */
export function loadState(database: Database, nowMs: number): StreamState | undefined {
  if (!hasSchema(database)) return undefined;
  upgradeSchema(database);
  const row = readStreamRow(database);
  if (row === undefined) return undefined;
  const log = HotLog.load(database);
  const state = newState(row, log);
  state.streamSeq = row.streamSeq;
  state.closure = row.closure;
  state.deleted = row.deleted;
  state.followed = row.followed;
  state.allowance = row.allowance;
  state.consumers = row.consumers;
  for (const commit of log.notesSince(row.checkpointPosition)) applyCommit(state, commit);
  for (const [attempt, end] of row.attempts) state.attempts.set(attempt, end);
  const newest = log.newestNotes(ATTEMPT_ROWS);
  for (const commit of newest.toReversed()) rememberAttempts(state, commit);
  const last = newest[0];
  state.tail = last === undefined ? Math.max(state.base, log.newestFirst) : last.position + last.size;
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

/** Takes one commit, just written or read back, into the state. */
export function applyCommit(state: StreamState, commit: LogRowNotes): void {
  const { notes } = commit;
  state.tail = commit.position + commit.size;
  state.commitsSinceCheckpoint += 1;
  if (notes.streamSeq !== undefined) state.streamSeq = notes.streamSeq;
  if (notes.closed !== undefined) state.closure = notes.closed;
  for (const { id, epoch, seq } of notes.producers ?? []) state.uncheckpointed.set(id, { epoch, seq });
}

export function rememberAttempts(state: StreamState, commit: Pick<LogRowNotes, "position" | "size" | "notes">): void {
  for (const [index, attempt] of (commit.notes.attempts ?? []).entries()) {
    const end = commit.notes.ends?.[index] ?? commit.size;
    if (attempt !== null) state.attempts.set(attempt, commit.position + end);
  }
}

export function findProducer(state: StreamState, database: Database, id: string): ProducerState | undefined {
  const known = state.uncheckpointed.get(id) ?? state.producerCache.get(id);
  if (known !== undefined) return known;
  const stored = readProducer(database, id);
  if (stored !== undefined) state.producerCache.set(id, stored);
  return stored;
}

export function needsCheckpoint(state: StreamState): boolean {
  return state.commitsSinceCheckpoint >= CHECKPOINT_COMMITS || state.uncheckpointed.size >= CHECKPOINT_PRODUCERS;
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
 * together with their rows; and the newest attempts, because a call may be repeated after that.
 */
export function sealLog(state: StreamState, database: Database): void {
  state.log.seal(state.tail, () => {
    insertCheckpoint(state, database);
    updateAttempts(database, state.attempts.newest(ATTEMPTS_SEALED));
  });
  forgetCheckpointed(state);
}

function insertCheckpoint(state: StreamState, database: Database): void {
  const { tail, streamSeq, closure, persistedTouchMs } = state;
  for (const [id, producer] of state.uncheckpointed) upsertProducer(database, id, producer);
  updateCheckpoint(database, { position: tail, streamSeq, closure, touchedAtMs: persistedTouchMs });
}

function forgetCheckpointed(state: StreamState): void {
  for (const [id, producer] of state.uncheckpointed) state.producerCache.set(id, producer);
  state.uncheckpointed.clear();
  state.commitsSinceCheckpoint = 0;
}

/** What is delivered into a session says nothing about whether anybody reads it. */
export function isRenewedByAppends({ kind }: Pick<StreamState, "kind">): boolean {
  return kind === "plain";
}

/** Bytes of its own that it still has; what a fork has inherited is not. */
export function storedBytes({ tail, base, earliest }: StreamState): number {
  return tail - Math.max(base, earliest);
}

/** Takes what the project lets it store. One row, if that is news. */
export function setAllowance(state: StreamState, database: Database, allowance: number | null): void {
  if (state.allowance === allowance) return;
  updateAllowance(database, allowance);
  state.allowance = allowance;
}

/** How much a renewal may stay in memory only: a tenth of the window. */
export function touchGranularityMs(state: Pick<StreamState, "lifetime">): number {
  return state.lifetime.kind === "ttl" ? state.lifetime.ttlSeconds * 100 : 0;
}

/** When the stream ends unless it is renewed, in ms. */
export function stateDeadlineMs(state: StreamState): number | undefined {
  return deadlineMs(state.lifetime, state.touchedAtMs);
}
