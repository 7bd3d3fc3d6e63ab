/** All live reads of one server, so that they can be ended before it stops. */

export class LiveReads {
  readonly #open = new Set<() => void>();
  #isEnding = false;

  /** How many there are now. */
  get count(): number {
    return this.#open.size;
  }

  /**
   * Notes a live read, until the function that is returned has been called.
   * @param onEnd called once, and in the read's own request, when live reads are to end; at once if they are already.
   */
  begin(onEnd: () => void): () => void {
    // Another request resolves it; see docs/adr/0008-shared-appends.md for why it is made like this.
    const { promise, resolve } = Promise.withResolvers<void>();
    void promise.then(onEnd);
    if (this.#isEnding) resolve();
    this.#open.add(resolve);
    return () => void this.#open.delete(resolve);
  }

  /**
   * Ends every live read as if its time were over: between two events, so that its client resumes by offset. Those that
   * begin from now on are as short as they may be. For a server that is about to stop; there is no way back.
   */
  end(): void {
    this.#isEnding = true;
    for (const end of this.#open) end();
  }
}
