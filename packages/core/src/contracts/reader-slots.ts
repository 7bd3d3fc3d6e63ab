/** How a stream leases slots for live readers from its project: plain data that can be sent over RPC. */

/**
 * Which of a project's live readers one is: of its tokens; or of everybody, by a public stream, a read URL or a reader key.
 * Each has slots of its own, so that strangers never take those of the owner.
 */
export type ReaderBudget = "tokens" | "public";

/** A live reader that asks to wait. */
export interface ReaderAdmission {
  readonly budget: ReaderBudget;
  /** Whether the project has a limit of such readers. */
  readonly isLimited: boolean;
  /** The reader's edge can be sent ranges instead of frames (`live-frame.ts`). */
  readonly takesRanges?: true;
}

export interface ReaderSlotsRequest {
  /** Its name within the project. */
  readonly stream: string;
  /** Which readers it is about; `tokens` unless it says so. */
  readonly budget?: ReaderBudget;
  /** Such readers that wait on it now. */
  readonly readers: number;
  /** As many as would wait if all were let in that ask for it. */
  readonly wanted: number;
  /** For how long it wants the places, in ms. */
  readonly forMs: number;
}

/** The part of a project's object that streams ask for places. */
export interface ReaderSlotsApi {
  /** How many such readers may wait on the stream; `null`: as many as it likes. */
  allowReaders(request: ReaderSlotsRequest): Promise<number | null>;
}
