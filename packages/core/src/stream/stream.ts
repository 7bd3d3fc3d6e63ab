/**
 * One stream: appends to it and deletes it, and puts its other parts together, `creation.ts`, `pins.ts`, `reading.ts`.
 *
 * Between two awaits nothing else runs, so a decision and its write need no lock. Whatever leaves the object (an
 * answer, a live frame) is held back by the runtime until the writes before it are durable; readers can never see
 * bytes that a crash takes away.
 */

import { refuseNotFound, type OffsetRef, type Result } from "@durable-streams-cloudflare/protocol";

import type {
  AppendCommand,
  AppendFacts,
  AttachFacts,
  CreateCommand,
  CreateFacts,
  HeadFacts,
  PageCommand,
  PageFacts,
  PinCommand,
  PinFacts,
  ReadCommand,
  ReadFacts,
} from "../contracts/stream.ts";
import { GroupCommit } from "../kit/group-commit.ts";
import { ROW_BYTES_MAX } from "../log/log-rows.ts";
import type { Room } from "./append/admission.ts";
import { appendBatch } from "./append/append-batch.ts";
import { Allowance, PROJECT_STORAGE_FULL } from "./append/quota-grant.ts";
import { recallAppend } from "./append/recall.ts";
import { ObjectRoom, STORAGE_FULL } from "./append/remaining-bytes.ts";
import { Pins } from "./forks/pins.ts";
import type { StreamHost } from "./host.ts";
import { Creation } from "./lifecycle/creation.ts";
import { Lifecycle } from "./lifecycle/lifecycle.ts";
import { Consumers } from "./notify/wake-subscriptions.ts";
import { Places } from "./read/reader-slots.ts";
import { Reading, type ReadLimits } from "./read/reading.ts";
import { FanOut } from "./session/fan-out.ts";
import { isRenewedByAppends, type StreamState } from "./state.ts";
import type { RollLimits } from "./tiering/roller.ts";

export interface StreamLimits extends RollLimits, ReadLimits {
  readonly pendingBytesMax: number;
  readonly pendingAppendsMax: number;
  /** How long a live reader waits. */
  readonly sseSessionSeconds: number;
  readonly longPollTimeoutMs: number;
}

export class Stream {
  readonly #host: StreamHost;
  readonly #lifecycle: Lifecycle;
  readonly #creation: Creation;
  readonly #pins: Pins;
  readonly #reading: Reading;
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
    this.#objectRoom = new ObjectRoom(() => host.databaseBytes());
    // What an earlier life of this object was about to tell may not have been told.
    this.#lifecycle = new Lifecycle(host, limits, (state) => this.#tell(state));
    this.consumers = new Consumers(host, this.#lifecycle);
    const stayMs = Math.max(limits.sseSessionSeconds * 1000, limits.longPollTimeoutMs) + STAY_MARGIN_MS;
    this.places = new Places(host, stayMs);
    this.#creation = new Creation(host, this.#lifecycle, (expired) => this.fanOut.followers.notify(expired));
    this.#pins = new Pins(host, this.#lifecycle);
    this.#reading = new Reading(host, this.#lifecycle, this.places, limits);
    this.#allowance = new Allowance(host, (incarnation) => this.#lifecycle.tellEndAgain(incarnation));
    this.#commits = new GroupCommit(
      {
        keyOf: ({ attempt }) => attempt,
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
      beginSession: (command) => this.#creation.beginSession(command),
      remove: () => this.remove(),
    });
  }

  create(command: CreateCommand): Promise<Result<CreateFacts>> {
    return this.#creation.create(command);
  }

  /** [PROTOCOL §5.2, §5.3] Resolves when the append is durable. */
  async append(command: AppendCommand): Promise<Result<AppendFacts>> {
    return this.#recall(command) ?? this.#commits.submit(command);
  }

  async appendAll(commands: readonly AppendCommand[]): Promise<Result<AppendFacts>[]> {
    const recalled = commands.map((command) => this.#recall(command));
    const results = this.#commits.submitAll(commands.filter((_, index) => recalled[index] === undefined));
    return Promise.all(recalled.map(async (answer) => answer ?? results.shift() ?? refuseNotFound()));
  }

  head(): Result<HeadFacts> {
    return this.#reading.head();
  }

  read(command: ReadCommand): Result<ReadFacts> {
    return this.#reading.read(command);
  }

  page(command: PageCommand): Result<PageFacts> {
    return this.#reading.page(command);
  }

  attach(from: OffsetRef, isLimited = false): Result<AttachFacts> {
    return this.#reading.attach(from, isLimited);
  }

  /** [PROTOCOL §5.4] */
  async remove(incarnation?: number): Promise<Result<object>> {
    const state = this.#lifecycle.require();
    if ("ok" in state) return state;
    if (incarnation !== undefined && incarnation !== state.lineage.incarnation) return refuseNotFound();
    await this.#lifecycle.end(state);
    this.fanOut.followers.notify(state);
    return { ok: true };
  }

  pin(command: PinCommand): Promise<Result<PinFacts>> {
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
    this.consumers.ring();
    this.fanOut.followers.fire();
    await this.#lifecycle.alarm();
    if (mayEnd && this.#lifecycle.standing().kind !== "live") this.fanOut.followers.notify(before);
  }

  /** What an append is answered that came before, or that there is no memory for. It is looked for as soon as it comes. */
  #recall(command: AppendCommand): Promise<Result<AppendFacts>> | Result<AppendFacts> | undefined {
    const { attempt } = command;
    if (attempt === undefined) return undefined;
    const { requests } = this.#lifecycle;
    return (
      this.#commits.waiting(attempt) ??
      recallAppend({ ...command, attempt }, requests, this.#lifecycle.stored(), this.#host.now())
    );
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
      this.fanOut.followers.committed(state);
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
    this.fanOut.followers.notify(state);
    this.consumers.tell(state);
  }
}

/** An edge may be late in letting go of a reader. */
const STAY_MARGIN_MS = 5_000;
