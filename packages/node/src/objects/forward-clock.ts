/** A clock that never goes back, whoever sets the machine's. */

import { monotonicMs, wallMs } from "@durable-streams-cloudflare/core/kit/time/clock";

export class ForwardClock {
  readonly #wall: () => number;
  readonly #monotonic: () => number;
  #ms: number;
  #atMs: number;

  /** @param fromMs an instant that is over, although the machine's clock may say that it is to come. */
  constructor(fromMs: number, wall: () => number = wallMs, monotonic: () => number = monotonicMs) {
    this.#wall = wall;
    this.#monotonic = monotonic;
    this.#ms = fromMs;
    this.#atMs = monotonic();
  }

  /** Milliseconds since 1970. While the machine's clock is behind, time goes on from the latest instant that it has shown. */
  now(): number {
    const atMs = this.#monotonic();
    this.#ms = Math.max(this.#wall(), this.#ms + atMs - this.#atMs);
    this.#atMs = atMs;
    return this.#ms;
  }
}
