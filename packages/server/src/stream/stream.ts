/**
 * One stream: creates, forks, appends, reads and deletes it.
 *
 * Between two awaits nothing else runs, so a decision and its write need no lock. Whatever leaves the object (an
 * answer, a live frame) is held back by the runtime until the writes before it are durable; readers can never see
 * bytes that a crash takes away.
 */

import {
  DEFAULT_CONTENT_TYPE,
  framingOf,
  KEEP_ALL,
  keepsAll,
  lineageAtBase,
  matchesEtag,
  rangeEtag,
  refuse,
  refuseNotFound,
  refuseTrimmed,
  type Lifetime,
  type OffsetRef,
  type Refusal,
  type Result,
  type Retention,
} from "@durable-streams-cloudflare/protocol";

import type { OpenSessionCommand } from "../rpc/fan-out.ts";
import type { CommitNotes } from "../storage/commit-notes.ts";
import { deleteDebt, deleteFork, insertFork } from "../storage/fork-rows.ts";
import { HotLog } from "../storage/hot-log.ts";
import { ROW_BYTES_MAX } from "../storage/log-rows.ts";
import { createSchema } from "../storage/schema.ts";
import { insertStreamRow, type Origin, type StreamKind } from "../storage/stream-row.ts";
import type { Room } from "./admission.ts";
import { Allowance, PROJECT_STORAGE_FULL } from "./allowance.ts";
import { announce } from "./announcer.ts";
import { appendBatch } from "./append-batch.ts";
import type {
  AppendCommand,
  AppendFacts,
  AttachFacts,
  CreateCommand,
  CreateFacts,
  ForkCommand,
  HeadFacts,
  PageCommand,
  PageFacts,
  PinCommand,
  PinFacts,
  ReadCommand,
  ReadFacts,
} from "./commands.ts";
import { configurationDifference } from "./configuration.ts";
import { Consumers } from "./consumers.ts";
import { FanOut } from "./fan-out.ts";
import { canonicalOffset, CLOCK_SKEW_MS_MAX, PIN_MS_MAX, planPin } from "./forks.ts";
import { GroupCommit } from "./group-commit.ts";
import type { StreamHost } from "./host.ts";
import { Lifecycle } from "./lifecycle.ts";
import { ObjectRoom, STORAGE_FULL } from "./object-room.ts";
import { Places } from "./places.ts";
import { ownPage, readEnd, stretchesOf } from "./read-plan.ts";
import { mayBeOffset, refuseGone, refuseUnaligned, resolveOffset } from "./resolve-offset.ts";
import type { RollLimits } from "./roller.ts";
import { applyCommit, isRenewedByAppends, newState, type StreamState } from "./state.ts";

export interface StreamLimits extends RollLimits {
  readonly readBytesMax: number;
  readonly pendingBytesMax: number;
  readonly pendingAppendsMax: number;
  /** Live readers that may wait at the same time. */
  readonly readersMax: number;
  /** How long one of them does. */
  readonly sseSessionSeconds: number;
  readonly longPollTimeoutMs: number;
}

/** What a new stream will be. */
interface Beginning {
  readonly contentType: string;
  readonly lifetime: Lifetime;
  readonly retention: Retention;
  readonly earliest: number;
  readonly incarnation: number;
  readonly origin?: Origin;
  readonly kind?: StreamKind;
}

export class Stream {
  readonly #host: StreamHost;
  readonly #limits: StreamLimits;
  readonly #lifecycle: Lifecycle;
  readonly #commits: GroupCommit<AppendCommand, Result<AppendFacts>>;
  readonly #objectRoom: ObjectRoom;
  /** The commit that is being made durable has written something. */
  #isNews = false;
  /** What this stream is to those that follow it, and to those that it follows. */
  readonly fanOut: FanOut;
  readonly #allowance: Allowance;
  /** For live readers, where the project has a limit of them. */
  readonly places: Places;
  /** The subscriptions of the protocol that it wakes. */
  readonly consumers: Consumers;

  constructor(host: StreamHost, limits: StreamLimits) {
    this.#host = host;
    this.#limits = limits;
    this.#objectRoom = new ObjectRoom(() => host.databaseBytes());
    // What an earlier life of this object was about to tell may not have been told.
    this.#lifecycle = new Lifecycle(host, limits, (state) => this.#tell(state));
    this.consumers = new Consumers(host, this.#lifecycle);
    const stayMs = Math.max(limits.sseSessionSeconds * 1000, limits.longPollTimeoutMs) + STAY_MARGIN_MS;
    this.places = new Places(host, stayMs);
    this.#allowance = new Allowance(host, (incarnation) => this.#lifecycle.tellEndAgain(incarnation));
    this.#commits = new GroupCommit(
      {
        weigh: (command) => command.bytes.length,
        prepare: (batch) => this.#allowance.prepare(batch, () => this.#lifecycle.living()),
        commit: (batch) => this.#commit(batch),
        sync: () => this.#sync(),
      },
      {
        batchBytesMax: ROW_BYTES_MAX,
        pendingBytesMax: limits.pendingBytesMax,
        pendingCountMax: limits.pendingAppendsMax,
      },
    );
    this.fanOut = new FanOut(host, this.#lifecycle, {
      append: (command) => this.append(command),
      beginSession: (command) => this.#beginSession(command),
      remove: () => this.remove(),
    });
  }

  /** [PROTOCOL §5.1] Confirming an existing stream renews its sliding lifetime, as any use of it does. */
  async create(command: CreateCommand): Promise<Result<CreateFacts>> {
    const occupied = this.#confirm(command);
    if (occupied !== undefined) return occupied;
    const { retention } = command;
    if (!keepsAll(retention) && this.#host.segments === undefined) {
      return refuse(
        "retention-unavailable",
        "Only what is in R2 can be let go of, and the binding SEGMENTS is missing.",
      );
    }
    if (command.fork !== undefined) return this.#createFork(command, command.fork);
    const contentType = command.contentType ?? DEFAULT_CONTENT_TYPE;
    const incarnation = this.#lifecycle.nextIncarnation(0);
    return this.#begin(command, { contentType, lifetime: command.lifetime, retention, earliest: 0, incarnation });
  }

  /** [PROTOCOL §5.2, §5.3] Resolves when the append is durable. */
  append(command: AppendCommand): Promise<Result<AppendFacts>> {
    return this.#commits.submit(command);
  }

  appendAll(commands: readonly AppendCommand[]): Promise<Result<AppendFacts>[]> {
    return Promise.all(this.#commits.submitAll(commands));
  }

  /** [PROTOCOL §5.5] Does not renew a sliding lifetime. */
  head(): Result<HeadFacts> {
    const state = this.#lifecycle.require();
    return "ok" in state ? state : { ok: true, ...headFacts(state) };
  }

  /** [PROTOCOL §5.6] Promises a range, and gives its first page if it has it. */
  read(command: ReadCommand): Result<ReadFacts> {
    const state = this.#lifecycle.require();
    if ("ok" in state) return state;
    const from = resolveOffset(state, command.from);
    if (typeof from !== "number") return from;
    this.#lifecycle.touch(state);
    const to = readEnd(state, this.#host, from, this.#limits.readBytesMax);
    const etag = rangeEtag(state.lineage.incarnation, from, to, state.closure !== undefined && to === state.tail);
    const notModified = command.from.kind !== "now" && matchesEtag(command.ifNoneMatch, etag);
    const stretches = stretchesOf(state, this.#host, from, to);
    const isOurs = !notModified && from >= state.base;
    const first = isOurs ? ownPage(state, this.#host, { from, to, paging: command.paging }) : noPage(from);
    return { ok: true, ...headFacts(state), from, to, etag, notModified, ...first, stretches };
  }

  /** Bytes for a reader of this stream or of a fork of it; refused when they have been deleted. */
  page(command: PageCommand): Result<PageFacts> {
    const state = this.#lifecycle.stored();
    if (state === undefined || state.lineage.incarnation !== command.incarnation) return refuseGone();
    const { from, to, paging, checkFrom = false } = command;
    if (checkFrom && !mayBeOffset(state, from)) return refuseUnaligned();
    // To look at a cold place takes the bytes behind it.
    const facts = ownPage(state, this.#host, { from, to: checkFrom ? Math.max(to, from + 1) : to, paging });
    const isTrimmed = from < state.log.first && facts.cold.length === 0;
    return isTrimmed ? refuseTrimmed(state.lineage, state.earliest) : { ok: true, ...facts };
  }

  /** [PROTOCOL §5.7, §5.8] Where a live reader that comes with an offset stands. */
  attach(from: OffsetRef, isLimited = false): Result<AttachFacts> {
    const state = this.#lifecycle.require();
    if ("ok" in state) return state;
    const position = resolveOffset(state, from);
    if (typeof position !== "number") return position;
    const standing = position < state.tail ? "behind" : state.closure === undefined ? "live" : "ended";
    const { readersMax } = this.#limits;
    const placesMax = isLimited ? this.places.max : Infinity;
    if (standing === "live" && !this.#host.readers.admit(Math.min(readersMax, placesMax)))
      return refuseReader(placesMax < readersMax);
    this.#lifecycle.touch(state);
    return { ok: true, ...headFacts(state), standing, position };
  }

  /** [PROTOCOL §5.4] */
  async remove(): Promise<Result<object>> {
    const state = this.#lifecycle.require();
    if ("ok" in state) return state;
    await this.#lifecycle.end(state);
    this.fanOut.tellFollowersOf(state);
    return { ok: true };
  }

  /** A fork will read this stream's bytes up to a place. Deleting the stream and pinning it: one comes first. */
  async pin(command: PinCommand): Promise<Result<PinFacts>> {
    const planned = this.#pinnable();
    if ("ok" in planned) return planned;
    const plan = await planPin(planned, this.#host, command, () => this.#lifecycle.stored() === planned);
    const state = this.#pinnable();
    if ("ok" in state) return state;
    if (!plan.ok) return plan;
    if (state !== planned) return refuseNotFound();
    if ((plan.ancestors.at(-1)?.to ?? 0) < state.earliest) return refuseTrimmed(state.lineage, state.earliest);
    // After this instant the fork may have released the pin: nobody would ever release it again.
    if (this.#host.now() >= command.untilMs) return refuse("unavailable", "The fork took too long to make.");
    this.#host.database.transaction(() => insertFork(this.#host.database, command.forkId, command.forkName));
    this.#lifecycle.touch(state);
    return { ...plan, earliest: state.earliest };
  }

  /** A fork does not need the bytes any more. */
  async release(forkId: string): Promise<void> {
    if (this.#lifecycle.stored() === undefined) return;
    deleteFork(this.#host.database, forkId);
    await this.#lifecycle.afterRelease();
  }

  /** A live reader has left: until now it has kept a sliding lifetime from ending. */
  readerLeft(): void {
    const state = this.#lifecycle.stored();
    if (state !== undefined && !state.deleted) this.#lifecycle.touch(state);
  }

  async alarm(): Promise<void> {
    const before = this.#lifecycle.stored();
    const mayEnd = before !== undefined && !before.deleted;
    this.consumers.ring();
    await this.#lifecycle.alarm();
    if (mayEnd && this.#lifecycle.standing().kind !== "live") this.fanOut.tellFollowersOf(before);
  }

  /** What a create is answered when there is something at this URL already. */
  #confirm(command: CreateCommand): Result<CreateFacts> | undefined {
    const standing = this.#lifecycle.standing();
    if (standing.kind === "none") return undefined;
    if (standing.kind === "retained") return refuseRetained();
    const { state } = standing;
    const difference = configurationDifference(state, command);
    if (difference !== undefined) {
      return refuse("stream-exists", difference, { hint: "Delete the stream first, or use its configuration." });
    }
    this.#lifecycle.touch(state);
    return { ok: true, ...createFacts(state, false) };
  }

  /**
   * Pins first, creates then. Until both are done there is a debt, which the alarm pays if this object dies.
   * @throws when the pin's answer is lost: then the pin may still come to be, until the debt falls due.
   */
  async #createFork(command: CreateCommand, fork: ForkCommand): Promise<Result<CreateFacts>> {
    if (fork.source === this.#host.name) return refuseNotFound();
    const forkId = this.#host.newId();
    const untilMs = this.#host.now() + PIN_MS_MAX;
    await this.#lifecycle.owe({ id: forkId, source: fork.source, dueAtMs: untilMs + CLOCK_SKEW_MS_MAX });
    try {
      const { contentType } = command;
      const pinned = await this.#host
        .peer(fork.source)
        .pin({ ...fork, contentType, forkId, forkName: this.#host.name, untilMs });
      if (!pinned.ok) {
        await this.#lifecycle.forgive(forkId);
        return pinned;
      }
      // Somebody else may have created a stream here in the meantime; then this pin is one too many.
      const result = this.#confirm(command) ?? (await this.#beginFork(command, fork, forkId, pinned));
      if (!result.ok || !result.created) this.#lifecycle.fallDue(forkId);
      return result;
    } finally {
      this.#lifecycle.ripen(forkId);
    }
  }

  async #beginFork(
    command: CreateCommand,
    fork: ForkCommand,
    forkId: string,
    pinned: PinFacts,
  ): Promise<Result<CreateFacts>> {
    const { contentType, ancestors } = pinned;
    if (command.contentType === null && command.bytes.length > 0 && framingOf(contentType) === "json") {
      return refuse("content-type-missing", "Say what the body is: the source's Content-Type is application/json.");
    }
    const inheritsLifetime = command.lifetime.kind === "forever";
    return this.#begin(command, {
      contentType: command.contentType ?? contentType,
      lifetime: inheritsLifetime ? pinned.lifetime : command.lifetime,
      retention: command.retention,
      earliest: pinned.earliest,
      incarnation: this.#lifecycle.nextIncarnation(pinned.incarnation),
      origin: {
        forkId,
        source: fork.source,
        offset: canonicalOffset(fork.offset, ancestors),
        subOffset: fork.subOffset,
        inheritsLifetime,
        ancestors,
      },
    });
  }

  async #begin(command: CreateCommand, beginning: Beginning): Promise<Result<CreateFacts>> {
    const now = this.#host.now();
    const { bytes, closed } = command;
    const log = new HotLog(this.#host.database);
    const facts = { ...beginning, origin: beginning.origin, touchedAtMs: now };
    const state = newState(facts, log);
    const notes: CommitNotes = closed ? { closed: {} } : {};
    const hasCommit = bytes.length > 0 || closed;
    const position = state.base;
    const { database } = this.#host;
    const expired = this.#lifecycle.stored();
    // Readers of an expired stream would take the new one for its continuation.
    if (expired !== undefined) this.#host.readers.endAll();
    database.transaction(() => {
      this.#lifecycle.bury();
      createSchema(database);
      insertStreamRow(database, facts);
      if (hasCommit) log.insertCommit(position, bytes, notes, now);
      if (facts.origin !== undefined) deleteDebt(database, facts.origin.forkId);
      announce(this.#host, facts.incarnation, facts.contentType);
    });
    if (hasCommit) applyCommit(state, { position, size: bytes.length, committedAtMs: now, notes });
    this.#lifecycle.began(state, expired);
    await this.#host.sync();
    if (expired !== undefined) this.fanOut.tellFollowersOf(expired);
    return { ok: true, ...createFacts(state, true) };
  }

  async #beginSession({ contentType, ttlSeconds }: OpenSessionCommand): Promise<Result<object>> {
    if (this.#lifecycle.standing().kind === "retained") return refuseRetained();
    const lifetime = { kind: "ttl", ttlSeconds } as const;
    const incarnation = this.#lifecycle.nextIncarnation(0);
    const configuration = { contentType, lifetime, retention: KEEP_ALL };
    const nothing = { ...configuration, closed: false, bytes: new Uint8Array() };
    return this.#begin(nothing, { ...configuration, earliest: 0, incarnation, kind: "session" });
  }

  #commit(batch: readonly AppendCommand[]): readonly Result<AppendFacts>[] {
    const state = this.#lifecycle.require();
    if ("ok" in state) return batch.map(() => state);
    const { results, frame } = appendBatch(
      state,
      this.#host.database,
      batch,
      this.#host.now(),
      this.#roomFor(batch, state),
    );
    if (frame !== undefined) {
      this.#lifecycle.committed(state);
      this.consumers.committed(state);
      this.#host.readers.broadcast(frame);
    } else if (isRenewedByAppends(state) && results.some((result) => result.ok)) this.#lifecycle.touch(state);
    this.#isNews = frame !== undefined;
    return results;
  }

  /** Of the object, and of what the project lets it store. */
  #roomFor(batch: readonly AppendCommand[], state: StreamState): Room {
    return this.#objectRoom.isFullFor(batch)
      ? { room: 0, refusal: STORAGE_FULL }
      : { room: this.#allowance.roomOf(state), refusal: PROJECT_STORAGE_FULL };
  }

  async #sync(): Promise<void> {
    const isNews = this.#isNews;
    await this.#host.sync();
    const state = this.#lifecycle.stored();
    if (isNews && state !== undefined) this.#tell(state);
  }

  #tell(state: StreamState): void {
    this.fanOut.tellFollowersOf(state);
    this.consumers.tell(state);
  }

  /** The live stream, or why nothing can be forked from it [PROTOCOL §4.2, Fork creation errors]. */
  #pinnable(): StreamState | Refusal {
    const standing = this.#lifecycle.standing();
    if (standing.kind === "live") return standing.state;
    return standing.kind === "none" ? refuseNotFound() : refuse("fork-source-deleted", "The source was deleted.");
  }
}

function noPage(end: number): PageFacts {
  return { page: new Uint8Array(), end, cold: [] };
}

function refuseRetained(): Refusal {
  return refuse("path-retained", "The stream here was deleted, but forks still read from it.", {
    hint: "Delete its forks first, or use another path.",
  });
}

/** An edge may be late in letting go of a reader. */
const STAY_MARGIN_MS = 5_000;

/** Clients wait at least this long and then try again, for as long as it takes. */
const READER_RETRY_SECONDS = "5";

function refuseReader(isOfProject: boolean): Refusal {
  const headers = { "Retry-After": READER_RETRY_SECONDS };
  if (isOfProject) {
    return refuse("project-readers-full", "As many live readers as the project may have are waiting.", {
      hint: "Try again later, read without live, or have the administrator raise the project's limit liveReaders.",
      headers,
    });
  }
  return refuse("readers-full", "As many live readers as one stream may have are waiting on this one.", {
    hint: "Try again later, read without live, or raise READERS_MAX.",
    headers,
  });
}

function headFacts(state: StreamState): HeadFacts {
  const { contentType, lifetime, retention, earliest, lineage, tail } = state;
  return { contentType, lifetime, retention, earliest, lineage, tail, closed: state.closure !== undefined };
}

function createFacts(state: StreamState, created: boolean): CreateFacts {
  const { contentType, tail } = state;
  return { created, contentType, lineage: lineageAtBase(state.lineage), tail, closed: state.closure !== undefined };
}
