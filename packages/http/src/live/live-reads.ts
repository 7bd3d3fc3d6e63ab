/** All live reads of one server, so that they can be ended before it stops. */

export class LiveReads {
  readonly #open = new Set<() => void>();
  readonly #others: (() => void)[] = [];
  #isEnding = false;

  /** The number of live reads now. */
  get count(): number {
    return this.#open.size;
  }

  /**
   * Registers a live read. Call the returned function when the read has ended.
   * @param onEnd called once, in the context of the read's own request, when live reads must end; at once if they already must.
   */
  begin(onEnd: () => void): () => void {
    // Another request resolves it; see docs/adr/0008-shared-appends.md for why it is made like this.
    const { promise, resolve } = Promise.withResolvers<void>();
    void promise.then(onEnd);
    if (this.#isEnding) resolve();
    this.#open.add(resolve);
    return () => void this.#open.delete(resolve);
  }

  /** @param onEnd called when live reads must end. It must not use the I/O of any request. */
  alsoEnd(onEnd: () => void): void {
    this.#others.push(onEnd);
  }

  /**
   * Ends every live read as if its time were over: between two events, so that its client resumes by offset. Live reads that
   * begin later are as short as the protocol permits. For a server that is about to stop; it cannot be undone.
   */
  end(): void {
    this.#isEnding = true;
    for (const end of this.#open) end();
    for (const end of this.#others) end();
  }
}
