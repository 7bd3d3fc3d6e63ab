/** The requests that a handler is serving, so that it can close after they have ended. */

export class InFlight {
  /** How to abort each of them. */
  readonly #aborts = new Set<() => void>();
  readonly #max: number;
  #ended: (() => void) | undefined;

  /** @param max how many there may be at a time. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Whether one more would be too many. */
  get isFull(): boolean {
    return this.#aborts.size >= this.#max;
  }

  /**
   * Registers a request. Call the returned function when its response has ended; calling it again has no effect.
   * @param abort ends the request at once.
   */
  begin(abort: () => void): () => void {
    this.#aborts.add(abort);
    return () => {
      if (this.#aborts.delete(abort) && this.#aborts.size === 0) this.#ended?.();
    };
  }

  /** Resolves when no request is in flight. Aborts those that are after `drainMs`. */
  async drain(drainMs: number): Promise<void> {
    if (this.#aborts.size === 0) return;
    const timer = setTimeout(() => {
      for (const abort of this.#aborts) abort();
    }, drainMs);
    await new Promise<void>((resolve) => (this.#ended = resolve));
    clearTimeout(timer);
  }
}
