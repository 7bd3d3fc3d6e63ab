/** The body of an answer that is sent piece by piece, whenever there is something to send. */

/** Where the pieces go. A `ReadableStream`'s controller is one. */
export interface PieceSink {
  enqueue(piece: Uint8Array): void;
  /** How many more bytes may be buffered; not positive if the client is too slow. */
  readonly desiredSize: number | null;
  close(): void;
  /** Cuts the body off: the client must not take what it has for the whole. */
  error(reason: unknown): void;
}

/** What makes the pieces. */
export interface PieceSource {
  /** Called once, before anything else. */
  start(sink: PieceSink): void;
  /** There is room in the sink. May be called at any time, and however often. */
  pull(): Promise<void> | undefined;
  /** Nothing more is sent. Also called instead of `start`. */
  cancel(): void;
}

/** A body that a host writes as it comes, without a stream in between: for a thousand readers that is most of the work. */
export class PushedBody {
  readonly #source: PieceSource;
  /** The most bytes that the host may buffer for its client. */
  readonly bytesMax: number;

  constructor(source: PieceSource, bytesMax: number) {
    this.#source = source;
    this.bytesMax = bytesMax;
  }

  start(sink: PieceSink): void {
    this.#source.start(sink);
  }

  pull(): void {
    void this.#source.pull();
  }

  cancel(): void {
    this.#source.cancel();
  }

  /** For a host that passes streams on. */
  stream(): ReadableStream<Uint8Array> {
    const source = this.#source;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => source.start(controller),
        pull: () => source.pull(),
        cancel: () => source.cancel(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: this.bytesMax }),
    );
  }
}
