/** Paces deliveries, so that passes to many sessions leave time for everything else on the same thread. */

import { SingleFlight } from "../../kit/single-flight.ts";

/** Deliveries that may begin together: at least, and at the most. */
const BURST_MIN = 1;
export const BURST_MAX = 16;
/** A pause that ends later than this after its time shows that this machine had its hands full with what had begun. */
const LATE_MS = 4;

/** A pause; one that is not the next takes longer. */
const PAUSE_MS_MAX = 20;
/** Who waits for a burst and has not been seen for so long is gone, with its object. */
const GONE_MS = 200;

/**
 * Gives out bursts of deliveries, one after the other, to all passes that share a thread: who waits longest is the next. Holds
 * no promises: those belong to one object.
 */
export class Bursts {
  #size = 0;
  #grantedAtMs = 0;
  /** When each of them was last seen; who waits longest comes first. */
  readonly #waiting = new Map<object, number>();

  /**
   * Somebody pauses, to get a burst behind that.
   * @returns how long, in ms: the longer the more of them come before it, which else would keep the thread from resting.
   */
  enter(who: object, nowMs: number): number {
    this.#waiting.set(who, nowMs);
    return Math.min([...this.#waiting.keys()].indexOf(who) + 1, PAUSE_MS_MAX);
  }

  /**
   * Somebody has paused.
   * @param dueAtMs when the pause was to end.
   * @param isSpare as little as possible is to begin.
   * @returns how many deliveries it may begin; 0: another pause first.
   */
  grant(who: object, dueAtMs: number, nowMs: number, isSpare = false): number {
    this.#waiting.set(who, nowMs);
    if (this.#next(nowMs) !== who) return 0;
    // Others have begun something meanwhile.
    if (dueAtMs <= this.#grantedAtMs && this.#grantedAtMs <= nowMs) return 0;
    const isLate = nowMs - dueAtMs > LATE_MS;
    if (isSpare) this.#size = BURST_MIN;
    else this.#size = isLate ? Math.max(BURST_MIN, Math.floor(this.#size / 2)) : Math.min(BURST_MAX, this.#size + 1);
    this.#grantedAtMs = nowMs;
    this.#waiting.delete(who);
    return this.#size;
  }

  #next(nowMs: number): object | undefined {
    for (const [who, seenAtMs] of this.#waiting) {
      if (Math.abs(nowMs - seenAtMs) <= GONE_MS) return who;
      this.#waiting.delete(who);
    }
    return undefined;
  }
}

const SHARED = new Bursts();

interface PacePorts {
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves so much later, when others have had their turn; whether as little as possible is to begin then. */
  pause(ms?: number): Promise<boolean>;
}

/**
 * Lets deliveries begin a few at a time. On one machine all objects share a thread, and its event loop looks at sockets only
 * when nothing else is left to do: without pauses a publisher's next append would not even be read before the pass is
 * over. How many begin depends on how late the pauses end: one where sessions must first be read from disk, many where they
 * are elsewhere.
 */
export class Pace {
  readonly #ports: PacePorts;
  readonly #bursts: Bursts;
  readonly #pausing = new SingleFlight<void>(1);
  #left = 0;

  constructor(ports: PacePorts, bursts: Bursts = SHARED) {
    this.#ports = ports;
    this.#bursts = bursts;
  }

  /** Resolves when one more may begin. */
  async pass(): Promise<void> {
    while (this.#left <= 0) await this.#pausing.run("", () => this.#pause());
    this.#left -= 1;
  }

  async #pause(): Promise<void> {
    const fromMs = this.#ports.now();
    const pauseMs = this.#bursts.enter(this, fromMs);
    const isSpare = await this.#ports.pause(pauseMs);
    this.#left = this.#bursts.grant(this, fromMs + pauseMs, this.#ports.now(), isSpare);
  }
}
