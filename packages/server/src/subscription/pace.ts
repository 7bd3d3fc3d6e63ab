/** Deliveries that begin without a pause. */
export const BURST = 4;

/**
 * Lets deliveries begin a few at a time. On one machine all objects share a thread, and its event loop looks at sockets only
 * when nothing else is left to do: without pauses a publisher's next append would not even be read before the round is
 * over. Where sessions are elsewhere this is no limit: it is how many begin, not how many are under way.
 */
export class Pace {
  readonly #pause: () => Promise<void>;
  #left = BURST;
  #pausing: Promise<void> | undefined;

  /** @param pause resolves a moment later. */
  constructor(pause: () => Promise<void>) {
    this.#pause = pause;
  }

  /** Resolves when one more may begin. */
  async pass(): Promise<void> {
    while (this.#left === 0) await (this.#pausing ??= this.#refill());
    this.#left -= 1;
  }

  async #refill(): Promise<void> {
    await this.#pause();
    this.#left = BURST;
    this.#pausing = undefined;
  }
}
