/**
 * One stream: creates, appends, reads and deletes it, and decides when it has expired.
 *
 * Between two awaits nothing else runs, so a decision and its write need no lock. Whatever leaves the object (an
 * answer, a live frame) is held back by the runtime until the writes before it are durable; readers can never see
 * bytes that a crash takes away.
 */

import {
  formatOffset,
  matchesEtag,
  mediaType,
  rangeEtag,
  refuse,
  refuseNotFound,
  sameLifetime,
  type OffsetRef,
  type Refusal,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import type { CommitNotes } from "../storage/commit-notes.ts";
import {
  firstBoundaryAfter,
  insertCommit,
  isAppendBoundary,
  lastBoundaryAtOrBefore,
  readRange,
  ROW_BYTES_MAX,
} from "../storage/log-rows.ts";
import { createSchema } from "../storage/schema.ts";
import { insertStreamRow, updateTouchedAt } from "../storage/stream-row.ts";
import { appendBatch } from "./append-batch.ts";
import type {
  AppendCommand,
  AppendFacts,
  AttachFacts,
  CreateCommand,
  CreateFacts,
  HeadFacts,
  PageCommand,
  PageFacts,
  ReadCommand,
  ReadFacts,
} from "./commands.ts";
import { GroupCommit } from "./group-commit.ts";
import type { StreamHost } from "./host.ts";
import { applyCommit, loadState, newState, stateDeadlineMs, touchGranularityMs, type StreamState } from "./state.ts";

/** Bytes of one page between object and edge: large enough to be quick, small enough for hundreds at once. */
export const PAGE_BYTES = 512 * 1024;

export interface StreamLimits {
  readonly readBytesMax: number;
  readonly pendingBytesMax: number;
}

export class Stream {
  readonly #host: StreamHost;
  readonly #limits: StreamLimits;
  readonly #commits: GroupCommit<AppendCommand, Result<AppendFacts>>;
  #state: StreamState | undefined;
  #loaded = false;
  /** The newest incarnation that this object has had, also after a delete; the clock alone might repeat one. */
  #lastIncarnation = 0;

  constructor(host: StreamHost, limits: StreamLimits) {
    this.#host = host;
    this.#limits = limits;
    this.#commits = new GroupCommit(
      {
        weigh: (command) => command.bytes.length,
        commit: (batch) => this.#commit(batch),
        sync: () => host.sync(),
      },
      { batchBytesMax: ROW_BYTES_MAX, pendingBytesMax: limits.pendingBytesMax },
    );
  }

  /** [PROTOCOL §5.1] Confirming an existing stream renews its sliding lifetime, as any use of it does. */
  async create(command: CreateCommand): Promise<Result<CreateFacts>> {
    const existing = this.#live();
    if (existing !== undefined) return this.#confirm(existing, command);
    // Readers of an expired stream would take the new one for its continuation.
    if (this.#state !== undefined) this.#host.readers.endAll();
    const now = this.#host.now();
    const incarnation = Math.max(now, this.#lastIncarnation + 1, (this.#state?.incarnation ?? 0) + 1);
    const { contentType, lifetime, bytes, closed } = command;
    const state = newState({ incarnation, contentType, lifetime, touchedAtMs: now });
    const notes: CommitNotes = closed ? { closed: {} } : {};
    const { database } = this.#host;
    database.transaction(() => {
      createSchema(database);
      insertStreamRow(database, { incarnation, contentType, lifetime, touchedAtMs: now });
      if (bytes.length > 0 || closed) insertCommit(database, 0, bytes, notes, now);
    });
    if (bytes.length > 0 || closed) applyCommit(state, { position: 0, size: bytes.length, committedAtMs: now, notes });
    this.#state = state;
    this.#lastIncarnation = incarnation;
    this.#armExpiry(state);
    await this.#host.sync();
    return { ok: true, ...createFacts(state, true) };
  }

  /** [PROTOCOL §5.2, §5.3] Resolves when the append is durable. */
  append(command: AppendCommand): Promise<Result<AppendFacts>> {
    return this.#commits.submit(command);
  }

  /** [PROTOCOL §5.5] Does not renew a sliding lifetime. */
  head(): Result<HeadFacts> {
    const state = this.#live();
    return state === undefined ? refuseNotFound() : { ok: true, ...headFacts(state) };
  }

  /** [PROTOCOL §5.6] Promises a range, and gives its first page. */
  read(command: ReadCommand): Result<ReadFacts> {
    const state = this.#live();
    if (state === undefined) return refuseNotFound();
    const from = this.#resolve(state, command.from);
    if (typeof from !== "number") return from;
    this.#touch(state);
    const to = this.#appendsEnd(from, state.tail, this.#limits.readBytesMax);
    const etag = rangeEtag(state.incarnation, from, to, state.closure !== undefined && to === state.tail);
    const notModified = command.from.kind !== "now" && matchesEtag(command.ifNoneMatch, etag);
    const pageEnd = command.paging === "appends" ? this.#appendsEnd(from, to, PAGE_BYTES) : to;
    const pageBytes = command.paging === "appends" ? pageEnd - from : PAGE_BYTES;
    const page = notModified ? new Uint8Array() : readRange(this.#host.database, from, pageEnd, pageBytes);
    return { ok: true, ...headFacts(state), from, to, etag, notModified, page };
  }

  /** More of a range that `read` has promised; refused when the stream has been deleted since. */
  page(command: PageCommand): Result<PageFacts> {
    const state = this.#live();
    if (state === undefined || state.incarnation !== command.incarnation) return refuseGone();
    return { ok: true, page: readRange(this.#host.database, command.from, command.to, PAGE_BYTES) };
  }

  /** [PROTOCOL §5.7, §5.8] Where a live reader that comes with an offset stands. */
  attach(from: OffsetRef): Result<AttachFacts> {
    const state = this.#live();
    if (state === undefined) return refuseNotFound();
    const position = this.#resolve(state, from);
    if (typeof position !== "number") return position;
    this.#touch(state);
    const standing = position < state.tail ? "behind" : state.closure === undefined ? "live" : "ended";
    return { ok: true, ...headFacts(state), standing, position };
  }

  /** [PROTOCOL §5.4] */
  async remove(): Promise<Result<object>> {
    if (this.#live() === undefined) return refuseNotFound();
    await this.#purge();
    return { ok: true };
  }

  /** Ends the stream if its lifetime is over and nobody reads it live; otherwise comes back when it may be. */
  async alarm(): Promise<void> {
    const state = this.#load();
    if (state === undefined) return;
    if (state.lifetime.kind === "ttl" && this.#host.readers.count > 0) this.#touch(state);
    if (this.#isOver(state)) await this.#purge();
    else this.#armExpiry(state);
  }

  /** A live reader has left: until now it has kept a sliding lifetime from ending. */
  readerLeft(): void {
    const state = this.#load();
    if (state !== undefined) this.#touch(state);
  }

  #commit(batch: readonly AppendCommand[]): readonly Result<AppendFacts>[] {
    const state = this.#live();
    if (state === undefined) return batch.map(() => refuseNotFound());
    const { results, frame } = appendBatch(state, this.#host.database, batch, this.#host.now());
    if (frame !== undefined) {
      this.#renew(state);
      state.persistedTouchMs = state.touchedAtMs; // The commit's own row says when it was.
      this.#host.readers.broadcast(frame);
    } else if (results.some((result) => result.ok)) this.#touch(state);
    return results;
  }

  #confirm(state: StreamState, command: CreateCommand): Result<CreateFacts> {
    const difference = configurationDifference(state, command);
    if (difference !== undefined) {
      return refuse("stream-exists", difference, { hint: "Delete the stream first, or use its configuration." });
    }
    this.#touch(state);
    return { ok: true, ...createFacts(state, false) };
  }

  /** Where an offset points in this stream. */
  #resolve(state: StreamState, from: OffsetRef): number | Refusal {
    if (from.kind === "start") return 0;
    if (from.kind === "now") return state.tail;
    if (from.incarnation !== state.incarnation) return refuseGone();
    if (from.position > state.tail) {
      return refuse("offset-beyond-tail", `The stream ends at ${formatOffset(state.incarnation, state.tail)}.`);
    }
    const isReal =
      from.position === 0 || from.position === state.tail || isAppendBoundary(this.#host.database, from.position);
    return isReal ? from.position : refuse("offset-invalid", "No append ends at this offset.", { hint: OFFSET_HINT });
  }

  /** The end of the range, or an append's end before it when the range is larger than a response or page may be. */
  #appendsEnd(from: number, to: number, bytesMax: number): number {
    if (to - from <= bytesMax) return to;
    const cut = lastBoundaryAtOrBefore(this.#host.database, from + bytesMax);
    return cut > from ? cut : (firstBoundaryAfter(this.#host.database, from) ?? to);
  }

  /** The stream, unless there is none or its lifetime is over. */
  #live(): StreamState | undefined {
    const state = this.#load();
    return state === undefined || this.#isOver(state) ? undefined : state;
  }

  #load(): StreamState | undefined {
    if (this.#loaded) return this.#state;
    this.#state = loadState(this.#host.database, this.#host.now());
    this.#loaded = true;
    this.#lastIncarnation = this.#state?.incarnation ?? 0;
    if (this.#state === undefined) this.#host.readers.endAll();
    else this.#host.readers.sweep(this.#state.tail);
    return this.#state;
  }

  /** A stream with a sliding lifetime does not end while somebody reads it live [PROTOCOL §5.1, Stream-TTL]. */
  #isOver(state: StreamState): boolean {
    const deadline = stateDeadlineMs(state);
    if (deadline === undefined || this.#host.now() < deadline) return false;
    return state.lifetime.kind === "at" || this.#host.readers.count === 0;
  }

  #renew(state: StreamState): void {
    state.touchedAtMs = Math.max(state.touchedAtMs, this.#host.now());
  }

  /** Renews a sliding lifetime; on disk only when that is a tenth of the window behind. */
  #touch(state: StreamState): void {
    if (state.lifetime.kind !== "ttl") return;
    this.#renew(state);
    if (state.touchedAtMs - state.persistedTouchMs < Math.max(1, touchGranularityMs(state))) return;
    updateTouchedAt(this.#host.database, state.touchedAtMs);
    state.persistedTouchMs = state.touchedAtMs;
  }

  #armExpiry(state: StreamState): void {
    const deadline = stateDeadlineMs(state);
    if (deadline !== undefined) this.#host.setAlarm(Math.max(deadline, this.#host.now() + ALARM_DELAY_MS_MIN));
  }

  async #purge(): Promise<void> {
    this.#lastIncarnation = this.#state?.incarnation ?? this.#lastIncarnation;
    this.#state = undefined;
    this.#host.readers.endAll();
    await this.#host.purge();
    await this.#host.sync();
  }
}

/** A window of zero seconds with a live reader must not make the alarm spin. */
const ALARM_DELAY_MS_MIN = 1_000;

const OFFSET_HINT = "Offsets are opaque: use one that the server sent, unchanged.";

function refuseGone(): Refusal {
  return refuse("offset-gone", "The offset belongs to a stream that was deleted from this URL.", {
    hint: "Read again from offset -1.",
  });
}

function configurationDifference(state: StreamState, command: CreateCommand): string | undefined {
  if (mediaType(state.contentType) !== mediaType(command.contentType)) {
    return `The existing stream has content type ${state.contentType}.`;
  }
  if (!sameLifetime(state.lifetime, command.lifetime)) return "The existing stream has another lifetime.";
  const closed = state.closure !== undefined;
  if (closed !== command.closed) return `The existing stream is ${closed ? "closed" : "open"}.`;
  return undefined;
}

function headFacts(state: StreamState): HeadFacts {
  const { contentType, lifetime, incarnation, tail } = state;
  return { contentType, lifetime, incarnation, tail, closed: state.closure !== undefined };
}

function createFacts(state: StreamState, created: boolean): CreateFacts {
  const { contentType, incarnation, tail } = state;
  return { created, contentType, incarnation, tail, closed: state.closure !== undefined };
}
