/** The body of an answer that is made page by page, as fast as its client takes it. */

export interface PageSource {
  /** How many bytes all pages have together. */
  readonly bytes: number;
  /**
   * @returns the next page; `undefined` at the end.
   * @throws Error when the rest cannot be read: the client must not take what it has for the whole.
   */
  next(): Promise<Uint8Array | undefined>;
  /** Nothing more will be asked for. */
  cancel(): void;
  /** Whether a page may be overwritten when the next one is asked for: whoever keeps it makes a copy. */
  readonly reusesMemory: boolean;
}

export class PagedBody {
  readonly #source: PageSource;

  constructor(source: PageSource) {
    this.#source = source;
  }

  /** How many bytes it has. */
  get bytes(): number {
    return this.#source.bytes;
  }

  /** For a host that has written a page before it asks for the next one. */
  next(): Promise<Uint8Array | undefined> {
    return this.#source.next();
  }

  cancel(): void {
    this.#source.cancel();
  }

  /** For a host that passes streams on. */
  stream(): ReadableStream<Uint8Array> {
    const source = this.#source;
    return new ReadableStream<Uint8Array>({
      async pull(controller) {
        const page = await source.next();
        if (page === undefined) controller.close();
        else controller.enqueue(source.reusesMemory ? page.slice() : page);
      },
      cancel: () => source.cancel(),
    });
  }
}
