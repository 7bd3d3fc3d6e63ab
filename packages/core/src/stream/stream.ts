/**
 * One stream: composes its parts (creation, appends, reads, forks, fan-out) and runs commits.
 *
 * Nothing else runs between two awaits, so a decision and its write need no lock. Whatever leaves the object (an answer, a live
 * frame) is held back by the host until the writes before it are durable, so readers never see bytes that a crash takes away.
 */

import {
  refuse,
  refuseNotFound,
  type OffsetRef,
  type Refusal,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import type { ReaderAdmission, ReaderBudget } from "../contracts/reader-slots.ts";
import type {
  AppendCommand,
  AppendResult,
  AttachResult,
  CreateCommand,
  CreateResult,
  HeadResult,
  PageCommand,
  PageResult,
  PinCommand,
  PinResult,
  ReadCommand,
  ReadResult,
} from "../contracts/stream.ts";
import { Alarms } from "../kit/alarms.ts";
import { AssertionFailed } from "../kit/assert.ts";
import { GroupCommit } from "../kit/group-commit.ts";
import { ROW_BYTES_MAX } from "../log/log-rows.ts";
import type { Remaining } from "./append/admission.ts";
import { appendBatch } from "./append/append-batch.ts";
import { EarlyAppends } from "./append/early-appends.ts";
import { ObjectCapacity, STORAGE_FULL } from "./append/object-capacity.ts";
import { QuotaGrant, PROJECT_STORAGE_FULL } from "./append/quota-grant.ts";
import { recallAppend } from "./append/repeated-append.ts";
import { StreamCapacity } from "./append/stream-capacity.ts";
import { Pins } from "./forks/pins.ts";
import type { StreamHost } from "./host.ts";
import { Creation } from "./lifecycle/creation.ts";
import { isDamage } from "./lifecycle/discard.ts";
import { Lifecycle } from "./lifecycle/lifecycle.ts";
import { Upkeep } from "./lifecycle/upkeep.ts";
import { WakeSubscriptions } from "./notify/wake-subscriptions.ts";
import { ReaderSlots } from "./read/reader-slots.ts";
import { Reading, type ReadLimits } from "./read/reading.ts";
import { FanOut } from "./session/fan-out.ts";
import { isRenewedByAppends, type StreamState } from "./state.ts";
import { Roller, type RollLimits } from "./tiering/roller.ts";

export interface StreamLimits extends RollLimits, ReadLimits {
  readonly pendingBytesMax: number;
  readonly pendingAppendsMax: number;
  /** Bytes that a stream may store itself; 0: no limit. */
  readonly streamBytesMax: number;
  /** How long a live reader waits. */
  readonly sseSessionSeconds: number;
  readonly longPollTimeoutMs: number;
}

const UNLIMITED: ReaderAdmission = { budget: "tokens", isLimited: false };

export class Stream {
  readonly #host: StreamHost;
  readonly #alarms: Alarms;
  readonly #lifecycle: Lifecycle;
  readonly #creation: Creation;
  readonly #pins: Pins;
  readonly #reading: Reading;
  readonly #commits: GroupCommit<AppendCommand, Result<AppendResult>>;
  readonly #objectCapacity: ObjectCapacity;
  readonly #capacity: StreamCapacity;
  readonly #early: EarlyAppends;
  /** The commit that is being made durable has written something. */
  #hasWritten = false;
  /** What this stream is to those that follow it, and to those that it follows. */
  readonly fanOut: FanOut;
  readonly #quotaGrant: QuotaGrant;
  /** For live readers, where the project has a limit of them. */
  readonly readerSlots: Readonly<Record<ReaderBudget, ReaderSlots>>;
  /** The subscriptions of the protocol that it wakes. */
  readonly wakeSubscriptions: WakeSubscriptions;

  constructor(host: StreamHost, limits: StreamLimits) {
    this.#host = host;
    this.#early = new EarlyAppends(() => host.now());
    this.#objectCapacity = new ObjectCapacity(() => host.databaseBytes());
    // A notification that an earlier instance of this object was about to send may not have been sent.
    this.#alarms = new Alarms(host);
    const roller = new Roller(host, limits);
    this.#lifecycle = new Lifecycle(host, roller, this.#alarms, (state) => this.#notify(state));
    this.wakeSubscriptions = new WakeSubscriptions(host, this.#lifecycle, this.#alarms);
    const stayMs = Math.max(limits.sseSessionSeconds * 1000, limits.longPollTimeoutMs) + STAY_MARGIN_MS;
    this.readerSlots = {
      tokens: new ReaderSlots(host, stayMs, "tokens"),
      public: new ReaderSlots(host, stayMs, "public"),
    };
    this.#capacity = new StreamCapacity(limits.streamBytesMax);
    this.#creation = new Creation(host, this.#lifecycle, {
      capacity: this.#capacity,
      onReplaced: (expired) => this.fanOut.followers.notify(expired),
    });
    this.#pins = new Pins(host, this.#lifecycle);
    this.#reading = new Reading(host, this.#lifecycle, this.readerSlots, limits);
    this.#quotaGrant = new QuotaGrant(host, (incarnation) => this.#lifecycle.renotifyEnd(incarnation));
    this.#commits = new GroupCommit(
      {
        keyOf: ({ attempt }) => attempt,
        weigh: (command) => command.bytes.length,
        prepare: (batch) => this.#quotaGrant.prepare(batch, () => this.#lifecycle.living()),
        commit: (batch) => this.#checked(() => this.#commit(batch)),
        sync: () => this.#sync(),
      },
      {
        batchBytesMax: ROW_BYTES_MAX,
        pendingBytesMax: limits.pendingBytesMax,
        pendingCountMax: limits.pendingAppendsMax,
      },
    );
    this.fanOut = new FanOut(host, this.#lifecycle, this.#alarms, {
      append: (command) => this.append(command),
      beginSession: (command) => this.#creation.beginSession(command),
      remove: () => this.remove(),
    });
    // Behind the notifications, which wait for nothing.
    new Upkeep(host, this.#lifecycle, roller, this.#alarms);
  }

  create(command: CreateCommand): Promise<Result<CreateResult>> {
    return this.#creation.create(command);
  }

  /** [PROTOCOL §5.2, §5.3] Resolves when the append is durable. */
  async append(command: AppendCommand): Promise<Result<AppendResult>> {
    const submit = async (): Promise<Result<AppendResult>> => this.#recall(command) ?? this.#commits.submit(command);
    return command.mayWait ? this.#early.append(command, submit) : submit();
  }

  async appendAll(commands: readonly AppendCommand[]): Promise<Result<AppendResult>[]> {
    const recalled = commands.map((command) => this.#recall(command));
    const results = this.#commits.submitAll(commands.filter((_, index) => recalled[index] === undefined));
    return Promise.all(recalled.map(async (answer) => answer ?? results.shift() ?? refuseNotFound()));
  }

  head(): Result<HeadResult> {
    return this.#reading.head();
  }

  read(command: ReadCommand): Result<ReadResult> {
    return this.#checked(() => this.#reading.read(command));
  }

  page(command: PageCommand): Result<PageResult> {
    return this.#checked(() => this.#reading.page(command));
  }

  attach(from: OffsetRef, admission: ReaderAdmission = UNLIMITED): Result<AttachResult> {
    return this.#reading.attach(from, admission);
  }

  /** [PROTOCOL §5.4] */
  async remove(incarnation?: number): Promise<Result<object>> {
    const found = this.#lifecycle.require();
    if (!found.ok) return found;
    const { state } = found;
    if (incarnation !== undefined && incarnation !== state.lineage.incarnation) return refuseNotFound();
    try {
      await this.#lifecycle.end(state);
    } catch (error) {
      if (!isDamage(error)) throw error;
      await this.#discard(error);
    }
    this.fanOut.followers.notify(state);
    return { ok: true };
  }

  /**
   * Deletes the stream if its stored data is damaged. Idempotent: a stream that can be read is left alone. It never throws, so
   * that an error means that the object could not start.
   * @param isEmptied the host has already removed what was stored, because the object could not start.
   */
  async discard(isEmptied = false): Promise<Result<{ readonly wasDamaged: boolean }>> {
    try {
      const fault = this.#damage(isEmptied);
      if (fault === undefined) return { ok: true, wasDamaged: false };
      await this.#discard(fault);
      return { ok: true, wasDamaged: true };
    } catch (error) {
      this.#host.report("A stream whose stored data is damaged could not be deleted.", error);
      return refuse("unavailable", "The damaged data could not be deleted yet.", { headers: { "Retry-After": "1" } });
    }
  }

  /** What shows that the data is damaged; `undefined`: nothing does. */
  #damage(isEmptied: boolean): unknown {
    try {
      const isGone = this.#lifecycle.stored() === undefined && isEmptied;
      return isGone ? new Error("The host has removed the database.") : undefined;
    } catch (error) {
      return isDamage(error) ? error : undefined;
    }
  }

  async #discard(error: unknown): Promise<void> {
    await this.#lifecycle.discard();
    this.#host.report("The stored data of a stream was damaged. It was deleted, as was asked.", error);
  }

  pin(command: PinCommand): Promise<Result<PinResult>> {
    return this.#pins.pin(command);
  }

  release(forkId: string): Promise<void> {
    return this.#pins.release(forkId);
  }

  /** A live reader has left: until now it has kept a sliding lifetime from ending. */
  readerLeft(): void {
    const state = this.#lifecycle.stored();
    if (state !== undefined && !state.deleted) this.#lifecycle.touch(state);
  }

  async alarm(): Promise<void> {
    const before = this.#lifecycle.stored();
    const mayEnd = before !== undefined && !before.deleted;
    await this.#alarms.fire();
    if (mayEnd && this.#lifecycle.status().kind !== "live") this.fanOut.followers.notify(before);
  }

  /** What an append is answered that came before, or that there is no memory for. It is looked for as soon as it comes. */
  #recall(command: AppendCommand): Promise<Result<AppendResult>> | Result<AppendResult> | undefined {
    const { attempt: requestId } = command;
    if (requestId === undefined) return undefined;
    const { requests } = this.#lifecycle;
    return (
      this.#commits.waiting(requestId) ??
      recallAppend({ ...command, attempt: requestId }, requests, this.#lifecycle.stored(), this.#host.now())
    );
  }

  #commit(batch: readonly AppendCommand[]): readonly Result<AppendResult>[] {
    const found = this.#lifecycle.require();
    if (!found.ok) return batch.map(() => found);
    const { state } = found;
    const { results, frame } = appendBatch(
      state,
      this.#host.database,
      batch,
      this.#host.now(),
      this.#remainingFor(batch, state),
    );
    if (frame !== undefined) {
      this.#lifecycle.committed(state);
      this.fanOut.followers.committed(state);
      this.wakeSubscriptions.committed(state);
      this.#host.readers.broadcast(frame);
    } else if (isRenewedByAppends(state) && results.some((result) => result.ok)) this.#lifecycle.touch(state);
    this.#hasWritten = frame !== undefined;
    this.#early.settled(batch, results);
    return results;
  }

  /** Whichever limit is nearest: of the object, of the server, of the stream, or of what the project lets it store. */
  #remainingFor(batch: readonly AppendCommand[], state: StreamState): Remaining {
    if (this.#objectCapacity.isFullFor(batch)) return OBJECT_FULL;
    const { sharedStorage } = this.#host;
    if (sharedStorage?.isFullFor(bytesOf(batch)) === true)
      return { remaining: 0, refuse: () => sharedStorage.refuse() };
    const granted = this.#quotaGrant.remainingOf(state);
    const remaining = this.#capacity.remainingOf(state);
    return granted < remaining
      ? { remaining: granted, refuse: refuseProjectStorage }
      : { remaining, refuse: this.#capacity.refuse };
  }

  async #sync(): Promise<void> {
    const hasWritten = this.#hasWritten;
    await this.#host.sync();
    const state = this.#lifecycle.stored();
    if (hasWritten && state !== undefined) this.#notify(state);
  }

  /** What must hold does not: then what is in memory may be wrong, and is read back. */
  #checked<Value>(work: () => Value): Value {
    try {
      return work();
    } catch (error) {
      if (error instanceof AssertionFailed) this.#forget(error);
      throw error;
    }
  }

  #forget(error: AssertionFailed): void {
    this.#lifecycle.forget();
    this.#host.report("A position of the log is wrong; the state in memory is dropped.", error);
  }

  #notify(state: StreamState): void {
    this.fanOut.followers.notify(state);
    this.wakeSubscriptions.notify(state);
  }
}

function bytesOf(batch: readonly AppendCommand[]): number {
  return batch.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

const OBJECT_FULL: Remaining = { remaining: 0, refuse: () => STORAGE_FULL };
const refuseProjectStorage = (): Refusal => PROJECT_STORAGE_FULL;

/** An edge may be late in letting go of a reader. */
const STAY_MARGIN_MS = 5_000;
