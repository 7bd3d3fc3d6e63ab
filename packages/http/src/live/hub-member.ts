/**
 * One live reader's place in a hub. Everything here runs in the context of the reader's own request: its waiting, its timers,
 * and, while it is the hub's owner, the channel from the object.
 *
 * An owner that leaves keeps its channel until another reader has attached one. Telling a reader to take over is not enough,
 * because that reader may be dying as well: the runtime then drops the message without a word. So every reader looks from time
 * to time whether the hub has an owner.
 */

import type { HeadResult } from "@durable-streams-cloudflare/core/contracts/stream";
import type { ProblemCode, Refusal } from "@durable-streams-cloudflare/protocol";

import type { Granted } from "../auth/authorize.ts";
import type { KeepAlive } from "../client/append-batcher.ts";
import type { StreamClient } from "../client/stream-client.ts";
import type { ReaderChannel } from "../ports.ts";
import { HubFeed, type FillGap } from "./hub-feed.ts";
import type { Claim, HubOwner, HubSeat, MemberKind, StreamHub } from "./stream-hub.ts";

const BEAT_MS = 1_000;
/** All readers of a hub together look about this often: few of them … */
const LOOK_MS = 200;
const LOOK_MS_MAX_OF_FEW = 3_000;
/** … and many, so that those that are left soon notice when most of them die at once. Each look costs a timer. */
const LOOK_MS_OF_MANY = 30;
const LOOK_MS_MAX = 15_000;
/** The runtime lets a request live 30 seconds after its end. */
const RELIEF_MS_MAX = 25_000;

const GONE: ReadonlySet<string> = new Set<ProblemCode>(["stream-not-found", "stream-deleted"]);

/** The clock of a hub's members. It never goes back. */
export interface HubClock {
  now(): number;
  /** @returns a function that cancels it. */
  after(ms: number, work: () => void): () => void;
}

export const HUB_CLOCK: HubClock = {
  now: () => performance.now(),
  after: (ms, work) => {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  },
};

/** What is needed of a live reader's request. */
export interface HubRequest {
  readonly stream: StreamClient;
  readonly granted: Granted;
  readonly keepAlive: KeepAlive;
}

/** What a member does its part with, in the context of its own request. */
export interface HubMemberPorts {
  readonly request: HubRequest;
  readonly clock: HubClock;
  readonly fillGap: FillGap;
}

/** What a channel was attached with. */
export interface Attached {
  readonly result: HeadResult & { readonly position: number };
  readonly channel: ReaderChannel;
}

/** A channel, as its owner holds it. */
interface Holding {
  readonly owner: HubOwner;
  /** In the owner's own context. */
  readonly drop: () => void;
}

export class HubMember implements HubSeat {
  seenAtMs: number;
  readonly hub: StreamHub;
  readonly #ports: HubMemberPorts;
  readonly #clock: HubClock;
  readonly #kind: MemberKind;
  #holding: Holding | undefined;
  #cancelLook: (() => void) | undefined;
  #cancelRetry: (() => void) | undefined;
  #wake: (() => void) | undefined;
  #hasLeft = false;
  /** The object did not attach this reader. Others may be luckier. */
  refusal: Refusal | undefined;

  constructor(hub: StreamHub, kind: MemberKind, ports: HubMemberPorts) {
    this.hub = hub;
    this.#ports = ports;
    this.#clock = ports.clock;
    this.#kind = kind;
    this.seenAtMs = this.#clock.now();
    hub.join(this);
    this.#lookLater();
  }

  /** Whether the hub's tail is the stream's, as far as can be known here. */
  get isFresh(): boolean {
    return this.hub.isFresh(this.#clock.now());
  }

  /** Resolves when something in the hub may have changed. One call at a time. */
  changed(): Promise<void> {
    if (!this.hub.isHeld) this.#look();
    // Another request resolves it; see docs/adr/0008-shared-appends.md for why it is made like this.
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    if (this.hub.end !== undefined || this.refusal !== undefined || this.#hasLeft) resolve();
    else this.hub.wait(resolve);
    return promise;
  }

  /** Lets `changed` resolve. Only in this reader's context. */
  wakeUp(): void {
    if (this.#wake === undefined) return;
    this.hub.stopWaiting(this.#wake);
    this.#wake();
  }

  /** Idempotent. The reader's request is over, or has no more use for the hub. */
  leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#cancelLook?.();
    this.#cancelRetry?.();
    this.wakeUp();
    const nowMs = this.#clock.now();
    if (this.#holding !== undefined) this.hub.ownerLeft(this.#holding.owner, nowMs);
    this.hub.leave(this, nowMs);
    if (this.hub.members === 0 && this.hub.lingerMs === 0) this.#holding?.drop();
  }

  /** Becomes the owner. @param claim of an attachment that was made for the hub. */
  own({ result, channel }: Attached, claim?: Claim): void {
    const { hub } = this;
    const { promise, resolve } = Promise.withResolvers<void>();
    const nowMs = this.#clock.now();
    const owner: HubOwner = { beatAtMs: nowMs, leftAtMs: this.#hasLeft ? nowMs : undefined, release: resolve };
    const stopBeat = this.#beat(owner);
    const drop = (): void => {
      channel.close();
      stopBeat();
      hub.disown(owner);
      if (this.#holding?.owner !== owner) return;
      this.#holding = undefined;
      if (!this.#hasLeft) this.#lookLater();
    };
    this.#holding = { owner, drop };
    hub.about = result;
    hub.install(owner, claim);
    this.#ports.request.keepAlive(promise.then(drop));
    const feed = new HubFeed(hub, this.#ports.fillGap);
    channel.listen({
      onFrame: (frame) => {
        owner.beatAtMs = this.#clock.now();
        feed.take(frame);
      },
      onEnd: (reason) => {
        if (reason === "gone") hub.finish("gone");
        else this.#retryLater();
        drop();
        resolve();
      },
    });
    // What came before the channel, and has not come by another one.
    const { position, closed } = result;
    feed.take({ from: position, to: position, closed, bytes: new Uint8Array() });
    if (hub.members === 0 && hub.lingerMs === 0) resolve();
  }

  #beat(owner: HubOwner): () => void {
    const { hub } = this;
    let cancel: () => void;
    const beat = (): void => {
      const nowMs = this.#clock.now();
      owner.beatAtMs = nowMs;
      if (!this.#hasLeft) hub.look(this, nowMs);
      if (this.#isRelieved(owner, nowMs)) owner.release();
      else cancel = this.#clock.after(BEAT_MS, beat);
    };
    cancel = this.#clock.after(BEAT_MS, beat);
    return () => cancel();
  }

  /** Whether an owner need not, or may not, wait for another one. */
  #isRelieved({ leftAtMs }: HubOwner, nowMs: number): boolean {
    const { members, emptySinceMs, lingerMs } = this.hub;
    if (leftAtMs === undefined) return false;
    return nowMs - leftAtMs >= RELIEF_MS_MAX || (members === 0 && nowMs - emptySinceMs >= lingerMs);
  }

  /** An owner has nothing to look for. */
  #lookLater(): void {
    const { members } = this.hub;
    const ofFew = Math.min(LOOK_MS * members, LOOK_MS_MAX_OF_FEW);
    const ms = Math.max(ofFew, Math.min(LOOK_MS_OF_MANY * members, LOOK_MS_MAX));
    this.#cancelLook?.();
    this.#cancelLook = this.#clock.after(ms, () => {
      if (this.#holding !== undefined) return;
      this.#look();
      this.#lookLater();
    });
  }

  #look(): void {
    const nowMs = this.#clock.now();
    if (!this.#hasLeft) this.hub.look(this, nowMs);
    if (this.#hasLeft || this.#holding !== undefined || !this.hub.wantsClaim(nowMs, this.#kind)) return;
    this.#ports.request.keepAlive(this.#takeOver(this.hub.claim(nowMs)));
  }

  async #takeOver(claim: Claim): Promise<void> {
    const { hub } = this;
    try {
      const { stream, granted } = this.#ports.request;
      const attached = await stream.attach({ kind: "now" }, granted);
      if (!attached.ok) return this.#onRefused(attached);
      const { result, channel } = attached;
      if (result.lineage.incarnation !== hub.incarnation) {
        channel?.close();
        hub.finish("gone");
      } else if (channel === undefined) {
        await this.#end(result);
      } else if (hub.lacksOwner(this.#clock.now(), this.#kind)) {
        this.own({ result, channel }, claim);
      } else channel.close();
    } catch {
      this.#retryLater();
    } finally {
      hub.unclaim(claim);
    }
  }

  /** The stream is closed: there is no channel, but perhaps something before the end. */
  async #end({ position }: Attached["result"]): Promise<void> {
    await this.#ports.fillGap(position).catch(() => undefined);
    this.hub.jump(position);
    this.hub.add({ from: position, to: position, closed: true, bytes: new Uint8Array() });
  }

  #onRefused(refusal: Refusal): void {
    if (GONE.has(refusal.problem.code)) return this.hub.finish("gone");
    this.refusal = refusal;
    this.wakeUp();
  }

  #retryLater(): void {
    const delayMs = this.hub.lost(this.#clock.now());
    if (this.#hasLeft || this.hub.end !== undefined) return;
    this.#cancelRetry?.();
    this.#cancelRetry = this.#clock.after(delayMs, () => this.#look());
  }
}
