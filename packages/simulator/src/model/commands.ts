/** What a model-based test asks of a server's streams, and what it looks at in the answers. */

/** How a stream's content is made: `bytes` are strings of characters 0 to 255, `json` are texts of JSON values. */
export type Mode = "bytes" | "json";

export interface Claim {
  readonly id: string;
  readonly epoch: number;
  readonly seq: number;
}

/** Where a fork comes from. */
export interface ForkFrom {
  readonly source: string;
  /** `undefined`: the source's tail. */
  readonly offset: string | undefined;
  /** Messages or bytes beyond the offset. */
  readonly subOffset: number;
}

export interface Create {
  readonly kind: "create";
  readonly name: string;
  /** `undefined` only for a fork without records of its own, which then has its source's. */
  readonly mode: Mode | undefined;
  readonly ttlSeconds: number | undefined;
  readonly closed: boolean;
  readonly records: readonly string[];
  readonly fork: ForkFrom | undefined;
}

export interface Append {
  readonly kind: "append";
  readonly name: string;
  readonly mode: Mode;
  readonly records: readonly string[];
  readonly close: boolean;
  readonly producer: Claim | undefined;
  readonly streamSeq: string | undefined;
  /** The offset that the stream must end at. */
  readonly expected: string | undefined;
}

export interface Remove {
  readonly kind: "remove";
  readonly name: string;
}

export interface Read {
  readonly kind: "read";
  readonly name: string;
  readonly offset: string;
  /** What the reader says that it has. */
  readonly etag: string | undefined;
}

export type Command =
  | Create
  | Append
  | Remove
  | Read
  | { readonly kind: "head" | "alarm" | "restart"; readonly name: string }
  | { readonly kind: "advance"; readonly ms: number };

/** What goes wrong between two steps of an operation that more than one object takes part in. */
export const MISHAPS = ["it crashes", "its source crashes", "both crash", "message lost", "message late"] as const;

/** An operation in whose middle something goes wrong. Afterwards all that can still be done is done. */
export interface Interruption {
  readonly command: Create | Remove;
  /** Steps that are taken before. */
  readonly steps: number;
  readonly mishap: (typeof MISHAPS)[number];
}

export interface Observed {
  /**
   * `created`, `exists`, `appended`, `duplicate`, `closed`, `read`, `not-modified`, `head`, `removed`, `done`, or a
   * problem's code; `lost` when the answer to an interrupted command did not come.
   */
  readonly outcome: string;
  readonly closed?: boolean;
  /** What a read returned. */
  readonly text?: string;
  /** The producer's state that an append answers with. */
  readonly producer?: { readonly epoch: number; readonly seq: number };
  /** The sequence number that a gap is refused with, or the epoch that fences. */
  readonly expected?: number;
  /** The last `Stream-Seq`, where an answer has it. */
  readonly streamSeq?: string;
  /** Where the stream ends. */
  readonly offset?: string;
  /** The entity tag of what a read returned. */
  readonly etag?: string;
}

/** A real server behind the commands. */
export interface Driver {
  /**
   * Whether a read begins at an offset inside an append of JSON if a message ends there. The edge does so; an object alone
   * begins where the append does.
   */
  readonly readsAtMessages?: boolean;
  apply(command: Command): Promise<Observed>;
  /** Appends at the same time; the answers in the order of the appends. Absent: they are made one after the other. */
  applyTogether?(appends: readonly Append[]): Promise<Observed[]>;
  /** Fires every alarm that is due, until none is. */
  settle(): Promise<void>;
  /** Takes `INTERRUPTION_MS`, whatever happens. Absent: commands are never interrupted. */
  interrupt?(interruption: Interruption): Promise<Observed>;
}

/** How long a restart takes. */
export const RESTART_MS = 50;
/** Longer than anything waits that an interrupted operation leaves to be done. */
export const INTERRUPTION_MS = 90_000;
