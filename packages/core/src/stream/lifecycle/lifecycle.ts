/**
 * Whether the stream exists, and how it ends: by deletion or expiry, at once, or in name only while forks still read from it.
 * The work of its alarm is in `upkeep.ts`.
 */

import { refuseDeleted, refuseNotFound, type Result } from "@durable-streams-cloudflare/protocol";

import type { Alarms } from "../../kit/alarms.ts";
import { RequestIds } from "../append/request-ids.ts";
import { PendingReleases } from "../forks/pending-releases.ts";
import type { StreamHost } from "../host.ts";
import { recordNotice, noticeDueAtMs } from "../notify/directory-notices.ts";
import { isRenewedByAppends, loadState, stateDeadlineMs, touchGranularityMs, type StreamState } from "../state.ts";
import { readEndNotice, writeEndNotice } from "../tables/end-notice-rows.ts";
import { hasForks, insertPendingRelease } from "../tables/fork-rows.ts";
import { insertPendingDeletion, readPendingDeletions } from "../tables/pending-deletion-rows.ts";
import { dropSchema } from "../tables/schema.ts";
import { markDeleted, updateTouchedAt } from "../tables/stream-row.ts";
import { pendingDeletionOf } from "../tiering/object-deletions.ts";
import type { Roller } from "../tiering/roller.ts";
import { discardStored } from "./discard.ts";
import { datingMs, mintIncarnation } from "./incarnation.ts";

/** What is at this URL. `retained`: deleted, but forks read from it. */
export type StreamStatus =
  | { readonly kind: "none" }
  | { readonly kind: "live" | "retained"; readonly state: StreamState };

export class Lifecycle {
  readonly #host: StreamHost;
  readonly #roller: Roller;
  readonly #alarms: Alarms;
  readonly #onLoaded: (state: StreamState) => void;
  #state: StreamState | undefined;
  #loaded = false;
  /** The newest incarnation that this object remembers, also after a delete. */
  #lastIncarnation = 0;
  /** What this object has carried out lately, on whichever stream was here. */
  readonly requests = new RequestIds();
  /** Pins at the sources of forks that may not be wanted. */
  readonly releases: PendingReleases;

  /** @param onLoaded called with a stream that was just read back from disk. */
  constructor(host: StreamHost, roller: Roller, alarms: Alarms, onLoaded: (state: StreamState) => void) {
    this.#host = host;
    this.#roller = roller;
    this.#alarms = alarms;
    this.#onLoaded = onLoaded;
    this.releases = new PendingReleases(host, alarms);
  }

  status(): StreamStatus {
    const state = this.stored();
    if (state === undefined) return { kind: "none" };
    if (!state.deleted && !this.isOver(state)) return { kind: "live", state };
    return state.deleted || hasForks(this.#host.database) ? { kind: "retained", state } : { kind: "none" };
  }

  /** The live stream, or what every operation on it answers instead. */
  require(): Result<{ readonly state: StreamState }> {
    const status = this.status();
    if (status.kind === "live") return { ok: true, state: status.state };
    return status.kind === "retained" ? refuseDeleted() : refuseNotFound();
  }

  /** Whatever is on disk, also when it is deleted or over: forks may read it. */
  stored(): StreamState | undefined {
    if (this.#loaded) return this.#state;
    this.#state = loadState(this.#host.database, this.#host.now(), this.requests);
    this.#loaded = true;
    this.#lastIncarnation = Math.max(this.#lastIncarnation, this.#state?.lineage.incarnation ?? 0);
    if (this.#state === undefined) this.#host.readers.endAll();
    else {
      this.#host.readers.sweep(this.#state.tail);
      this.#onLoaded(this.#state);
      this.#noticeOlder(this.#state);
    }
    return this.#state;
  }

  /** The directory hears of a stream that was there before it. What it knows already it may hear again. */
  #noticeOlder(state: StreamState): void {
    if (state.wasOlder !== true || state.deleted) return;
    this.#host.database.transaction(() => recordNotice(this.#host, state.lineage.incarnation, state.contentType));
    this.#alarms.arm();
  }

  /** What is in memory may be wrong: it is read back when it is needed next. */
  forget(): void {
    this.#loaded = false;
    this.#state = undefined;
  }

  /** The stream, unless it is deleted. It may be over. */
  living(): StreamState | undefined {
    const state = this.stored();
    return state?.deleted === true ? undefined : state;
  }

  /** @param atLeast the incarnation that the new one must be greater than: a fork's source's. */
  nextIncarnation(atLeast: number): number {
    return mintIncarnation(datingMs(this.#host), this.#host.random(), Math.max(this.#lastIncarnation, atLeast));
  }

  /** Takes over a stream that was just written, perhaps in the place of one that had expired. */
  began(state: StreamState, expired: StreamState | undefined): void {
    this.#state = state;
    this.#lastIncarnation = state.lineage.incarnation;
    const isMortal = state.origin !== undefined || state.lifetime.kind !== "forever";
    const hasWork = this.#roller.hasWork(state) || noticeDueAtMs(this.#host) !== undefined;
    const needsAlarm = hasWork || expired !== undefined || isMortal;
    if (needsAlarm) this.#alarms.arm();
  }

  /**
   * Drops whatever is stored, in the transaction of the caller, except for what outlives it: the pending release of a fork's
   * source, objects in R2, and the notice of its end.
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
    if (this.#roller.hasWork(state)) this.#alarms.arm();
  }

  /** A read renews it too; on disk only when the stored time is 10 % of the TTL behind. */
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
      this.#alarms.arm();
      await this.#host.sync();
    } else {
      await this.#destroy();
    }
  }

  /** Frees the name of a stream whose data is damaged. */
  async discard(): Promise<void> {
    // Later than any that was minted until now.
    const incarnation = this.nextIncarnation(mintIncarnation(datingMs(this.#host) + 1_000, 0, 0));
    await discardStored(this.#host, incarnation, () => this.#alarms.purge(() => this.#host.purge()));
    this.#state = undefined;
    this.#loaded = true;
    this.#lastIncarnation = incarnation;
    this.#alarms.arm();
    await this.#host.sync();
  }

  /** Strikes out the release of a pin that there never was, and the database with it if that was all. */
  async cancelRelease(id: string): Promise<void> {
    this.releases.cancel(id);
    await this.cleanUp();
  }

  /** The directory may have got another notice after the stream's end: it is notified of the end once more. */
  renotifyEnd(incarnation: number): void {
    this.#host.database.transaction(() => recordNotice(this.#host, incarnation, null));
    this.#alarms.arm();
  }

  /** The last fork of a deleted stream may have gone: then it goes too, and with it what it pinned. */
  async afterRelease(): Promise<void> {
    const state = this.stored();
    if (state === undefined || hasForks(this.#host.database)) return;
    if (state.deleted || this.isOver(state)) await this.#destroy();
    // What retention has let go of was kept for the forks only.
    else if (state.earliest > 0) this.#alarms.arm();
  }

  /** In the transaction of the end: whoever must hear of it will, whatever dies after that. */
  #noteEnd({ lineage, followed }: StreamState): void {
    recordNotice(this.#host, lineage.incarnation, null);
    if (followed !== null) writeEndNotice(this.#host.database, lineage.incarnation);
  }

  /** Whether there are notices that outlive the stream. */
  #hasPendingNotices(): boolean {
    return noticeDueAtMs(this.#host) !== undefined || readEndNotice(this.#host.database) !== undefined;
  }

  /** A stream with a sliding lifetime does not end while somebody reads it live [PROTOCOL §5.1, Stream-TTL]. */
  isOver(state: StreamState): boolean {
    const deadline = stateDeadlineMs(state);
    if (deadline === undefined || this.#host.now() < deadline) return false;
    return state.lifetime.kind === "at" || this.#host.readers.count() === 0;
  }

  async #destroy(): Promise<void> {
    const { database } = this.#host;
    const hasPendingWork = database.transaction(() => this.bury());
    this.#state = undefined;
    if (!hasPendingWork) return this.cleanUp();
    // By the alarm, in a context of its own: a cascade through a hundred forks must not be a hundred calls deep.
    this.#alarms.soon();
    await this.#host.sync();
  }

  #renew(state: StreamState): void {
    state.touchedAtMs = Math.max(state.touchedAtMs, this.#host.now());
  }

  /** Where neither a stream is kept nor anything that outlives it there is nothing to store, not even empty tables. */
  cleanUp(): Promise<void> | undefined {
    return this.#isNothingKept() ? this.#purge() : undefined;
  }

  #isNothingKept(): boolean {
    if (this.stored() !== undefined || this.releases.dueAtMs() !== undefined) return false;
    return readPendingDeletions(this.#host.database, 1).length === 0 && !this.#hasPendingNotices();
  }

  async #purge(): Promise<void> {
    await this.#alarms.purge(() => this.#host.purge());
    await this.#host.sync();
  }
}
