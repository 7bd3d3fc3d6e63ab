/**
 * Lets appends go first. On one machine the edge and all objects share a thread, so long or background work asks here before it
 * begins, and waits while appends are under way.
 */

import { monotonicMs } from "./time/clock.ts";

/** Resolves after so many milliseconds. */
export function wait(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}

/**
 * On one machine all objects and the edge share a thread, and workerd looks at its sockets only when nothing is ready any more.
 * A timer that is due by then fires without that, and so does the next one if something else has woken the thread. By the
 * system calls of workerd 1.20261102.1 with appends and an upload going on: after one timer it had looked in two cases of five,
 * after two in two of three, after three in nineteen of twenty.
 */
const TIMERS = 3;

/**
 * Resolves when the runtime has seen to the requests that have come meanwhile, some milliseconds later. Whatever takes long
 * and is not what a client waits for does a little, and then waits for this.
 */
export async function nextTurn(): Promise<void> {
  for (let timer = 0; timer < TIMERS; timer += 1) await wait(0);
}

/** After an append has come, or was answered: long enough for its client to send the next one. */
const QUIET_MS = 3;
/** The longest that anything waits for its turn, however many appends arrive. */
export const HELD_MS_MAX = 10;
/** Appends come again and again as long as the next one comes after so many times what lay between the last two … */
const STEADY_FACTOR = 8;
/** … and that was no more than this. */
const STEADY_MS_MAX = 250;

interface ForegroundPorts {
  /** Milliseconds since some moment. */
  now(): number;
  /** Resolves so much later. */
  wait(ms: number): Promise<void>;
}

/**
 * Appends first. On one machine the edge and all objects share a thread, so what an object does for nobody in particular
 * (delivering to followers what was published) makes the next append wait. So such work begins only when no append has just
 * arrived or been answered, and while appends keep arriving the thread pauses between two units of it.
 *
 * A hint, no lock: where objects are elsewhere than the edge there is nothing to see here, and nothing waits. It keeps
 * instants and counts nothing, because what a request has begun may never end when its client goes away.
 */
export class Foreground {
  readonly #ports: ForegroundPorts;
  #seenAtMs = 0;
  #startedAtMs = 0;
  /** Between the last two that came. */
  #intervalMs = Infinity;

  constructor(ports: ForegroundPorts) {
    this.#ports = ports;
  }

  /** An append has come. */
  appendStarted(): void {
    const now = this.#ports.now();
    this.#intervalMs = now - this.#startedAtMs;
    this.#startedAtMs = now;
    this.#seenAtMs = now;
  }

  /** One was answered. */
  appendFinished(): void {
    this.#seenAtMs = this.#ports.now();
  }

  /**
   * Resolves when work that nobody waits for may begin.
   * @param leastMs so much later at the earliest: not at once, so that the event loop looks at its sockets before.
   * @returns whether it is to be as little as possible, because the next append is near.
   */
  async yieldToAppends(leastMs = 1): Promise<boolean> {
    const fromMs = this.#ports.now();
    await this.#ports.wait(leastMs);
    const tookMs = this.#ports.now() - fromMs - leastMs + 1;
    // Longer than the work before it took: most appends find the thread idle.
    if (this.#isNear()) await this.#ports.wait(Math.min(tookMs + 1, HELD_MS_MAX));
    while (this.#isBusy() && isWithin(HELD_MS_MAX, fromMs, this.#ports.now())) await this.#ports.wait(1);
    return this.#isNear();
  }

  /** The next append is here already, or likely to come soon. */
  #isNear(): boolean {
    return this.#isBusy() || this.#isSteady();
  }

  #isBusy(): boolean {
    return isWithin(QUIET_MS, this.#seenAtMs, this.#ports.now());
  }

  /** Appends come again and again. */
  #isSteady(): boolean {
    return (
      this.#intervalMs < STEADY_MS_MAX &&
      isWithin(STEADY_FACTOR * this.#intervalMs, this.#startedAtMs, this.#ports.now())
    );
  }
}

/** Also false when the clock was put back. */
function isWithin(ms: number, fromMs: number, nowMs: number): boolean {
  return fromMs <= nowMs && nowMs < fromMs + ms;
}

/** The one of this thread. */
export const FOREGROUND = new Foreground({
  now: monotonicMs,
  wait,
});
