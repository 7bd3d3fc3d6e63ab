/**
 * The hub of one stream in one isolate: what the stream's object sends over one channel, for all live readers of the isolate.
 *
 * Requests of a Worker must not touch each other's I/O. So a hub holds plain data only: the newest frames, and a function for
 * each waiting reader that resolves a promise which that reader has made. The channel belongs to one of the readers, the owner.
 * Every reader keeps its own position and does its own I/O after its own `await` (`hub-member.ts`).
 *
 * An owner may end at any time, even without a word. Then any reader may take over: a second channel does no harm, because
 * frames are recognized by their positions.
 */

import type { LiveFrame } from "@durable-streams-cloudflare/core/contracts/live-frame";
import type { HeadResult } from "@durable-streams-cloudflare/core/contracts/stream";

import { RecentFrames, restOf, type FrameBudget, type KeptFrame } from "./recent-frames.ts";

/** Without a sign of life for so long, an owner or a candidate counts as dead. */
export const SILENCE_MS_MAX = 3_000;
/** How long the owner of a hub of long-polls may outlast its own request before a new long-poll takes over. */
const POLL_TENURE_MS = 10_000;
/** How often in a row the channel may be lost before the readers are told to reconnect. */
const LOSSES_MAX = 8;
const LOSS_DELAY_MS = 25;
/** A reader that has not looked for so long is dead: each looks every 15 seconds. */
const SEAT_MS_MAX = 40_000;
const CLEARING_MS = 5_000;

/** Why a hub has ended. `lost`: the object is not coming back soon. */
export type HubEnd = "closed" | "gone" | "lost";

/** A reader's kind. Sessions last, and long-polls come again and again. */
export type MemberKind = "session" | "poll";

/** The hub's view of the reader whose channel feeds it. */
export interface HubOwner {
  /** The last sign of life. */
  beatAtMs: number;
  /** When the owner's own request ended; it then waits to be relieved. */
  leftAtMs: number | undefined;
  /** Tells the owner to close its channel. May be called from any request: it resolves a promise of the owner's. */
  release(): void;
}

/** The hub's view of a reader. */
export interface HubSeat {
  /** The last sign of life. */
  seenAtMs: number;
}

/** A reader that is attaching a channel: since when, and what the object will have been asked of by then. */
export interface Claim {
  readonly atMs: number;
  readonly doubts: number;
}

export class StreamHub {
  /** What the object has said about the stream. */
  about: HeadResult;
  readonly incarnation: number;
  readonly #recent: RecentFrames;
  #waiting = new Set<() => void>();
  readonly #onIdle: () => void;
  #tail: number;
  #end: HubEnd | undefined;
  #owner: HubOwner | undefined;
  #claim: Claim | undefined;
  #losses = 0;
  #claimableAtMs = 0;
  /** Up to here, appends through this isolate have been acknowledged. */
  #acknowledged = 0;
  /** How often something other than an append was acknowledged, and how often of these the object has been asked since. */
  #doubts = 0;
  #settledDoubts = 0;
  readonly #seats = new Set<HubSeat>();
  #clearedAtMs = 0;
  /** Since when there has been no member. */
  emptySinceMs = 0;
  /** How long the channel is kept for the next reader when there is none. */
  lingerMs = 0;

  /** @param onIdle called when the hub has neither members nor an owner, perhaps more than once. */
  constructor(about: HeadResult, tail: number, budget: FrameBudget, onIdle: () => void) {
    this.about = about;
    this.incarnation = about.lineage.incarnation;
    this.#tail = tail;
    this.#recent = new RecentFrames(budget);
    this.#onIdle = onIdle;
  }

  /** Everything up to here has come. */
  get tail(): number {
    return this.#tail;
  }

  get end(): HubEnd | undefined {
    return this.#end;
  }

  get members(): number {
    return this.#seats.size;
  }

  /** Whether a position is at the tail, beyond it, or among the kept frames, so that its reader need not read. */
  holds(position: number): boolean {
    return position >= this.#tail || this.#recent.after(position) !== undefined;
  }

  /** Whether a frame begins at a position, or the tail is there: an offset that names it is certain to be a place. */
  isPlace(position: number): boolean {
    return position === this.#tail || this.#recent.beginsAt(position);
  }

  after(position: number): KeptFrame | undefined {
    return position < this.#tail ? this.#recent.after(position) : undefined;
  }

  allAfter(position: number, bytesMax: number): LiveFrame | undefined {
    return position < this.#tail ? this.#recent.allAfter(position, bytesMax) : undefined;
  }

  /** Whether the tail is the stream's, as far as this isolate can know without a call to the object. */
  isFresh(nowMs: number): boolean {
    return this.isFed(nowMs) && this.#doubts === this.#settledDoubts && this.#tail >= this.#acknowledged;
  }

  /** Whether there is an owner whose channel brings what comes, sooner or later. */
  isFed(nowMs: number): boolean {
    if (this.#owner === undefined || this.#end !== undefined) return false;
    return nowMs - this.#owner.beatAtMs <= SILENCE_MS_MAX;
  }

  /** An append through this isolate was acknowledged. */
  acknowledge(tail: number, closed: boolean): void {
    this.#acknowledged = Math.max(this.#acknowledged, tail);
    if (closed) this.doubt();
  }

  /** Until a channel is attached that knows of it, only the object can say how the stream is. */
  doubt(): void {
    this.#doubts += 1;
  }

  /**
   * Takes a frame. Frames that overlap what has come are cut.
   * @returns `false` if something is missing before the frame, which is then not taken.
   */
  add(frame: LiveFrame): boolean {
    if (this.#end !== undefined) return true;
    if (frame.from > this.#tail) return false;
    if (frame.to > this.#tail) {
      this.#recent.push(frame.from === this.#tail ? frame : restOf(frame, this.#tail));
      this.#tail = frame.to;
      this.#losses = 0;
    } else if (!frame.closed) return true;
    if (frame.closed) this.finish("closed");
    else this.wakeAll();
    return true;
  }

  /** Goes on at a position without what lies before it: readers that have not got it read it themselves. */
  jump(position: number): void {
    if (position <= this.#tail || this.#end !== undefined) return;
    this.#recent.clear();
    this.#tail = position;
    this.wakeAll();
  }

  /** Ends the hub. */
  finish(end: HubEnd): void {
    this.#end ??= end;
    this.#owner?.release();
    this.wakeAll();
  }

  /** @param wake is called once, when something has changed, in whatever context that happens. */
  wait(wake: () => void): void {
    this.#waiting.add(wake);
  }

  stopWaiting(wake: () => void): void {
    this.#waiting.delete(wake);
  }

  wakeAll(): void {
    const all = this.#waiting;
    this.#waiting = new Set();
    for (const wake of all) wake();
  }

  /** A shortcut to the next look of that reader, which may be dead. */
  #wakeOne(): void {
    const [any] = this.#waiting;
    if (any === undefined) return;
    this.#waiting.delete(any);
    any();
  }

  join(seat: HubSeat): void {
    this.#seats.add(seat);
  }

  /** A reader looks. */
  look(seat: HubSeat, nowMs: number): void {
    seat.seenAtMs = nowMs;
    if (nowMs - this.#clearedAtMs >= CLEARING_MS) this.clear(nowMs);
  }

  /** Forgets readers that have died without a word, which would otherwise be counted for ever. */
  clear(nowMs: number): void {
    this.#clearedAtMs = nowMs;
    for (const each of this.#seats) if (nowMs - each.seenAtMs > SEAT_MS_MAX) this.leave(each, nowMs);
    if (this.members > 0 || this.#owner === undefined || nowMs - this.#owner.beatAtMs <= SEAT_MS_MAX) return;
    this.#owner = undefined;
    this.#dropIfIdle();
  }

  /** No channel is kept for readers to come. */
  stopLingering(): void {
    this.lingerMs = 0;
    if (this.members === 0) this.#owner?.release();
  }

  /** A member that is not the owner has left, or the owner has said so by `leftAtMs`. */
  leave(seat: HubSeat, nowMs: number): void {
    if (!this.#seats.delete(seat)) return;
    this.emptySinceMs = nowMs;
    if (this.members === 0 && (this.lingerMs === 0 || this.#end !== undefined)) this.#owner?.release();
    this.#dropIfIdle();
  }

  /** Whether there is an owner who has not left. It may be dead. */
  get isHeld(): boolean {
    return this.#owner !== undefined && this.#owner.leftAtMs === undefined;
  }

  /** Whether a reader should attach a channel for all, which no other one is doing. */
  wantsClaim(nowMs: number, kind: MemberKind): boolean {
    return nowMs >= this.#claimableAtMs && !this.#isClaimed(nowMs) && this.lacksOwner(nowMs, kind);
  }

  /** Whether a reader that has a channel should become the owner. */
  lacksOwner(nowMs: number, kind: MemberKind): boolean {
    if (this.#end !== undefined) return false;
    const owner = this.#owner;
    if (owner === undefined || nowMs - owner.beatAtMs > SILENCE_MS_MAX) return true;
    if (owner.leftAtMs === undefined) return false;
    return kind === "session" || nowMs - owner.leftAtMs > POLL_TENURE_MS;
  }

  /** A reader attaches now. @returns what `install` and `unclaim` take. */
  claim(nowMs: number): Claim {
    this.#claim = { atMs: nowMs, doubts: this.#doubts };
    return this.#claim;
  }

  unclaim(claim: Claim): void {
    if (this.#claim === claim) this.#claim = undefined;
  }

  /** The new owner is attached, so the one before it may go. */
  install(owner: HubOwner, claim?: Claim): void {
    this.#owner?.release();
    this.#owner = owner;
    this.#settledDoubts = Math.max(this.#settledDoubts, claim?.doubts ?? 0);
  }

  /** The owner has closed its channel, or has lost it. */
  disown(owner: HubOwner): void {
    if (this.#owner !== owner) return;
    this.#owner = undefined;
    this.#wakeOne();
    this.#dropIfIdle();
  }

  /** The owner's request is over: whoever lasts longer should take over. */
  ownerLeft(owner: HubOwner, nowMs: number): void {
    owner.leftAtMs ??= nowMs;
    if (this.#owner === owner) this.#wakeOne();
  }

  /** The channel was lost, or could not be attached. @returns in how many ms it is worth trying again. */
  lost(nowMs: number): number {
    this.#losses += 1;
    const delayMs = LOSS_DELAY_MS * this.#losses;
    this.#claimableAtMs = nowMs + delayMs;
    if (this.#losses > LOSSES_MAX) this.finish("lost");
    return delayMs;
  }

  #isClaimed(nowMs: number): boolean {
    return this.#claim !== undefined && nowMs - this.#claim.atMs <= SILENCE_MS_MAX;
  }

  #dropIfIdle(): void {
    if (this.members > 0 || this.#owner !== undefined) return;
    this.#recent.clear();
    this.#onIdle();
  }
}
