/**
 * Whether there is a stream, and how it ends: it is deleted or expires, at once or, when forks read from it, only in
 * name. One alarm serves all purposes of an object: expiry, the debts of forks (see `tables/fork-rows.ts`), cold segments
 * (`roller.ts`) and the garbage that they leave (`pendingDeletion.ts`).
 */

import { refuseDeleted, refuseNotFound, type Refusal } from "@durable-streams-cloudflare/protocol";

import { RequestIds } from "../append/request-ids.ts";
import type { StreamHost } from "../host.ts";
import { announce, announcementDueAtMs, sendNotices } from "../notify/announcer.ts";
import { NOTIFY_MS_MAX } from "../notify/outbox.ts";
import { isRenewedByAppends, loadState, stateDeadlineMs, touchGranularityMs, type StreamState } from "../state.ts";
import { readEndNotice, writeEndNotice } from "../tables/end-notice-rows.ts";
import {
  deletePendingRelease,
  hasForks,
  insertPendingRelease,
  readPendingReleases,
  updatePendingRelease,
  type PendingRelease,
} from "../tables/fork-rows.ts";
import { insertPendingDeletion, readPendingDeletions } from "../tables/pending-deletion-rows.ts";
import { dropSchema } from "../tables/schema.ts";
import { markDeleted, updateTouchedAt } from "../tables/stream-row.ts";
import { deletePendingObjects, pendingDeletionOf } from "../tiering/object-deletions.ts";
import { Roller, type RollLimits } from "../tiering/roller.ts";
import { trim, trimDueAtMs } from "../tiering/trimmer.ts";
import { discardStored } from "./discard.ts";
import { mintIncarnation } from "./incarnation.ts";

/** Debts paid in one go; the alarm comes back for more. */
const RELEASES_PER_ALARM = 16;
/** The alarm fires again this long after it rang, unless its work gets done; a debt that cannot be paid waits as long. */
const ALARM_RETRY_MS = 30_000;
/** A window of zero seconds with a live reader must not make the alarm spin. */
const ALARM_DELAY_MS_MIN = 1_000;

/** What is at this URL. `retained`: deleted, but forks read from it. */
export type StreamStatus =
  | { readonly kind: "none" }
  | { readonly kind: "live" | "retained"; readonly state: StreamState };

export class Lifecycle {
  readonly #host: StreamHost;
  readonly #roller: Roller;
  readonly #onLoaded: (state: StreamState) => void;
  #state: StreamState | undefined;
  #loaded = false;
  /** Debts of forks that are being created right now. */
  readonly #unripe = new Set<string>();
  /** The newest incarnation that this object remembers, also after a delete. */
  #lastIncarnation = 0;
  readonly #notifications: (() => number | undefined)[] = [];
  /** What this object has carried out lately, on whichever stream was here. */
  readonly requests = new RequestIds();

  /** @param onLoaded told of a stream that was just read back from disk. */
  constructor(host: StreamHost, limits: RollLimits, onLoaded: (state: StreamState) => void) {
    this.#host = host;
    this.#onLoaded = onLoaded;
    this.#roller = new Roller(host, limits);
  }

  /** @param dueAtMs when the alarm must fire because somebody may not have been notified, as far as that is known. */
  onArm(dueAtMs: () => number | undefined): void {
    this.#notifications.push(dueAtMs);
  }

  status(): StreamStatus {
    const state = this.stored();
    if (state === undefined) return { kind: "none" };
    if (!state.deleted && !this.#isOver(state)) return { kind: "live", state };
    return state.deleted || hasForks(this.#host.database) ? { kind: "retained", state } : { kind: "none" };
  }

  /** The live stream, or what every operation on it answers instead. */
  require(): StreamState | Refusal {
    const status = this.status();
    if (status.kind === "live") return status.state;
    return status.kind === "retained" ? refuseDeleted() : refuseNotFound();
  }

  /** Whatever is on disk, also when it is deleted or over: forks may read it. */
  stored(): StreamState | undefined {
    if (this.#loaded) return this.#state;
    this.#state = loadState(this.#host.database, this.#host.now(), this.requests);
    this.#loaded = true;
    this.#lastIncarnation = this.#state?.lineage.incarnation ?? 0;
    if (this.#state === undefined) this.#host.readers.endAll();
    else {
      this.#host.readers.sweep(this.#state.tail);
      this.#onLoaded(this.#state);
      this.#announceOlder(this.#state);
    }
    return this.#state;
  }

  /** The directory hears of a stream that was there before it. What it knows already it may hear again. */
  #announceOlder(state: StreamState): void {
    if (state.wasOlder !== true || state.deleted) return;
    this.#host.database.transaction(() => announce(this.#host, state.lineage.incarnation, state.contentType));
    this.arm();
  }

  /** The stream, unless it is deleted. It may be over. */
  living(): StreamState | undefined {
    const state = this.stored();
    return state?.deleted === true ? undefined : state;
  }

  /** @param atLeast the incarnation that the new one must be greater than: a fork's source's. */
  nextIncarnation(atLeast: number): number {
    return mintIncarnation(this.#host.now(), this.#host.random(), Math.max(this.#lastIncarnation, atLeast));
  }

  /** Takes over a stream that was just written, perhaps in the place of one that had expired. */
  began(state: StreamState, expired: StreamState | undefined): void {
    this.#state = state;
    this.#lastIncarnation = state.lineage.incarnation;
    const isMortal = state.origin !== undefined || state.lifetime.kind !== "forever";
    const hasWork = this.#roller.hasWork(state) || announcementDueAtMs(this.#host) !== undefined;
    const needsAlarm = hasWork || expired !== undefined || isMortal;
    if (needsAlarm && !this.arm()) this.#host.clearAlarm();
  }

  /**
   * Drops whatever is stored, in the transaction of the caller, but for what outlives it: what a fork owes its source,
   * objects in R2, and the news of its end.
   * @returns whether anything does.
   */
  bury(): boolean {
    const { database } = this.#host;
    const state = this.stored();
    if (state === undefined) return false;
    const origin = state.origin;
    const pendingDeletion = pendingDeletionOf(this.#host, state);
    dropSchema(database);
    if (origin !== undefined) {
      insertPendingRelease(database, { id: origin.forkId, source: origin.source, dueAtMs: this.#host.now() });
    }
    if (pendingDeletion !== undefined) insertPendingDeletion(database, pendingDeletion);
    this.#noteEnd(state);
    return origin !== undefined || pendingDeletion !== undefined || this.#hasPendingNotices();
  }

  /** A commit has been written. Its own row renews a sliding lifetime. */
  committed(state: StreamState): void {
    if (isRenewedByAppends(state)) {
      this.#renew(state);
      state.persistedTouchMs = state.touchedAtMs;
    }
    if (this.#roller.hasWork(state)) this.arm();
  }

  /** A read renews it too; on disk only when that is a tenth of the window behind. */
  touch(state: StreamState): void {
    if (state.lifetime.kind !== "ttl") return;
    this.#renew(state);
    if (state.touchedAtMs - state.persistedTouchMs < Math.max(1, touchGranularityMs(state))) return;
    updateTouchedAt(this.#host.database, state.touchedAtMs);
    state.persistedTouchMs = state.touchedAtMs;
  }

  /** Ends the stream: in name only as long as forks need its bytes [PROTOCOL §4.2, Soft-delete]. */
  async end(state: StreamState): Promise<void> {
    this.#host.readers.endAll();
    if (hasForks(this.#host.database)) {
      state.deleted = true;
      this.#host.database.transaction(() => {
        markDeleted(this.#host.database);
        this.#noteEnd(state);
      });
      this.arm();
      await this.#host.sync();
    } else {
      await this.#destroy();
    }
  }

  /** Frees the name of a stream whose data is damaged. */
  async discard(): Promise<void> {
    // Later than any that was minted until now.
    const incarnation = this.nextIncarnation(mintIncarnation(this.#host.now() + 1_000, 0, 0));
    await discardStored(this.#host, incarnation);
    this.#state = undefined;
    this.#loaded = true;
    this.#lastIncarnation = incarnation;
    this.arm();
    await this.#host.sync();
  }

  /** Notes that a pin may be about to exist. It falls due by itself should this object not live to create the fork. */
  async recordRelease(release: { id: string; source: string; dueAtMs: number }): Promise<void> {
    this.#unripe.add(release.id);
    this.#host.database.transaction(() => insertPendingRelease(this.#host.database, release));
    this.arm();
    await this.#host.sync();
  }

  /** The fork's creation is over, one way or the other: its debt, if there still is one, counts from now on. */
  activateRelease(id: string): void {
    this.#unripe.delete(id);
  }

  /** The pin exists and is not wanted: its debt falls due now. */
  fallDue(id: string): void {
    this.activateRelease(id);
    updatePendingRelease(this.#host.database, id, this.#host.now());
    this.arm();
  }

  /** Strikes out a debt that has nothing behind it, and the database with it if that was all. */
  async cancelRelease(id: string): Promise<void> {
    this.activateRelease(id);
    deletePendingRelease(this.#host.database, id);
    await this.#cleanUp();
  }

  /** Rings for whatever is due. Each part may be repeated; it is set again before it works. */
  async alarm(): Promise<void> {
    const state = this.stored();
    const now = this.#host.now();
    // Set for a notification alone, which others see to.
    const isIdle = state !== undefined && !state.deleted && (this.#workDueAtMs() ?? Infinity) > now;
    if (!isIdle) {
      // Should this object die meanwhile, nobody who is to be notified waits for long.
      const retryMs = announcementDueAtMs(this.#host) === undefined ? ALARM_RETRY_MS : NOTIFY_MS_MAX;
      this.#host.setAlarm(Math.min(now + retryMs, this.#notifyAtMs() ?? Infinity));
      if (state !== undefined) await this.#expire(state);
      await this.#releasePins();
      await this.#rollAndTrim();
      await sendNotices(this.#host, () => this.living());
      await deletePendingObjects(this.#host);
      await this.#cleanUp();
    }
    if (!this.arm()) this.#host.clearAlarm();
  }

  /** The alarm fires as soon as it can. */
  fireSoon(): void {
    this.#host.setAlarm(this.#host.now());
  }

  /** Sets the alarm to whatever comes first; `false` when nothing will. */
  arm(): boolean {
    const times = [this.#workDueAtMs(), this.#notifyAtMs()].filter((time) => time !== undefined);
    if (times.length === 0) return false;
    this.#host.setAlarm(Math.max(Math.min(...times), this.#host.now() + ALARM_DELAY_MS_MIN));
    return true;
  }

  #workDueAtMs(): number | undefined {
    const release = readPendingReleases(this.#host.database, 1)[0];
    const state = this.#state;
    const deadline = state === undefined || state.deleted ? undefined : stateDeadlineMs(state);
    const rollAtMs = state === undefined ? undefined : this.#roller.dueAtMs(state);
    const trimAtMs = state === undefined ? undefined : trimDueAtMs(state, this.#host);
    const others = [release?.dueAtMs, this.#deletionDueAtMs(), announcementDueAtMs(this.#host)];
    return earliest([deadline, rollAtMs, trimAtMs, ...others]);
  }

  #notifyAtMs(): number | undefined {
    return earliest(this.#notifications.map((dueAtMs) => dueAtMs()));
  }

  /** The directory may have heard something else of the stream after its end: it is told of that once more. */
  renotifyEnd(incarnation: number): void {
    this.#host.database.transaction(() => announce(this.#host, incarnation, null));
    this.arm();
  }

  /** The last fork of a deleted stream may have gone: then it goes too, and with it what it pinned. */
  async afterRelease(): Promise<void> {
    const state = this.stored();
    if (state === undefined || hasForks(this.#host.database)) return;
    if (state.deleted || this.#isOver(state)) await this.#destroy();
    // What retention has let go of was kept for the forks only.
    else if (state.earliest > 0) this.arm();
  }

  /** In the transaction of the end: whoever must hear of it will, whatever dies after that. */
  #noteEnd({ lineage, followed }: StreamState): void {
    announce(this.#host, lineage.incarnation, null);
    if (followed !== null) writeEndNotice(this.#host.database, lineage.incarnation);
  }

  /** Whether there is news that outlives the stream. */
  #hasPendingNotices(): boolean {
    return announcementDueAtMs(this.#host) !== undefined || readEndNotice(this.#host.database) !== undefined;
  }

  async #expire(state: StreamState): Promise<void> {
    if (state.deleted) return this.afterRelease();
    if (state.lifetime.kind === "ttl" && this.#host.readers.count() > 0) this.touch(state);
    if (this.#isOver(state)) await this.end(state);
  }

  /** A stream with a sliding lifetime does not end while somebody reads it live [PROTOCOL §5.1, Stream-TTL]. */
  #isOver(state: StreamState): boolean {
    const deadline = stateDeadlineMs(state);
    if (deadline === undefined || this.#host.now() < deadline) return false;
    return state.lifetime.kind === "at" || this.#host.readers.count() === 0;
  }

  async #destroy(): Promise<void> {
    const { database } = this.#host;
    const hasPendingWork = database.transaction(() => this.bury());
    this.#state = undefined;
    if (!hasPendingWork) return this.#cleanUp();
    // By the alarm, in a context of its own: a cascade through a hundred forks must not be a hundred calls deep.
    this.#host.setAlarm(this.#host.now());
    await this.#host.sync();
  }

  /** What moved on is a good moment for the directory to hear how much is stored. */
  async #rollAndTrim(): Promise<void> {
    const state = this.living();
    const [first, earliest] = [state?.log.first, state?.earliest];
    await this.#roll();
    this.#trim();
    if (state === undefined || state !== this.living()) return;
    if (state.log.first === first && state.earliest === earliest) return;
    this.#host.database.transaction(() => announce(this.#host, state.lineage.incarnation, state.contentType));
  }

  #renew(state: StreamState): void {
    state.touchedAtMs = Math.max(state.touchedAtMs, this.#host.now());
  }

  /** What fails here is no reason not to do the rest. */
  async #roll(): Promise<void> {
    const state = this.stored();
    try {
      if (state !== undefined) await this.#roller.roll(state, () => this.stored() === state);
    } catch (error) {
      // A stream that ended meanwhile has taken the tables that were being read with it: nothing is wrong then.
      if (this.stored() === state)
        this.#host.report("A segment could not be written; its bytes stay in the stream.", error);
    }
  }

  #trim(): void {
    const state = this.stored();
    if (state !== undefined) trim(state, this.#host);
  }

  /** Without a store nothing can be deleted: the alarm does not fire for it. */
  #deletionDueAtMs(): number | undefined {
    return this.#host.segments === undefined ? undefined : readPendingDeletions(this.#host.database, 1)[0]?.dueAtMs;
  }

  async #releasePins(): Promise<void> {
    const now = this.#host.now();
    const due = readPendingReleases(this.#host.database, RELEASES_PER_ALARM).filter(({ dueAtMs }) => dueAtMs <= now);
    // What is unripe is looked at once, before the first wait: after it a fork may exist, and need its pin.
    const payable = due.filter(({ id }) => !this.#unripe.has(id));
    await Promise.all(payable.map((release) => this.#release(release)));
  }

  /** Releasing twice does no harm, so whatever fails is simply tried again later. */
  async #release({ id, source }: PendingRelease): Promise<void> {
    try {
      await this.#host.peer(source).release(id);
      deletePendingRelease(this.#host.database, id);
    } catch {
      updatePendingRelease(this.#host.database, id, this.#host.now() + ALARM_RETRY_MS);
    }
  }

  /** With neither a stream nor debts nor garbage there is nothing to keep, not even empty tables. */
  async #cleanUp(): Promise<void> {
    if (this.stored() !== undefined || readPendingReleases(this.#host.database, 1).length > 0) return;
    if (readPendingDeletions(this.#host.database, 1).length > 0) return;
    if (this.#hasPendingNotices()) return;
    await this.#host.purge();
    await this.#host.sync();
    // Whoever counts on an alarm must get it.
    this.arm();
  }
}

function earliest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
