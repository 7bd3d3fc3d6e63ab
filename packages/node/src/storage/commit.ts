/** One commit of the shared database. Whoever wrote into it waits here until it is durable, or learns that it was lost. */

export class Commit {
  #state: "pending" | "durable" | "lost" = "pending";
  #error: unknown;
  /** Made for the first who waits. */
  #settled: PromiseWithResolvers<void> | undefined;

  get isDurable(): boolean {
    return this.#state === "durable";
  }

  /**
   * Resolves when everything in the commit is durable.
   * @throws the error with which the commit was lost, even if that was long ago.
   */
  durable(): Promise<void> {
    if (this.#state === "durable") return Promise.resolve();
    if (this.#state === "lost") return Promise.reject(this.#error);
    return (this.#settled ??= Promise.withResolvers<void>()).promise;
  }

  /** Resolves when the commit is durable or lost. Never rejects. */
  async settled(): Promise<void> {
    await this.durable().catch(() => undefined);
  }

  succeed(): void {
    this.#state = "durable";
    this.#settled?.resolve();
  }

  fail(error: unknown): void {
    this.#state = "lost";
    this.#error = error;
    this.#settled?.reject(error);
  }
}

/** Durable from the start: the commit of whatever has written nothing, and of everything where nothing outlives the process. */
export const DURABLE = new Commit();
DURABLE.succeed();
