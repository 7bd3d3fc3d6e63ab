/** What a stream asks its project for before more live readers wait on it: plain data, safe to send over RPC. */

export interface ReaderSlotsRequest {
  /** Its name within the project. */
  readonly stream: string;
  /** Readers that wait on it now. */
  readonly readers: number;
  /** As many as would wait if all were let in that ask for it. */
  readonly wanted: number;
  /** For how long it wants the places, in ms. */
  readonly forMs: number;
}

/** The part of a project's object that streams ask for places. */
export interface ReaderSlotsApi {
  /** How many readers may wait on the stream; `null`: as many as it likes. */
  allowReaders(request: ReaderSlotsRequest): Promise<number | null>;
}
