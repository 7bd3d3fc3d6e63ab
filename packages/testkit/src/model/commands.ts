/** What a model-based test asks of a stream, and what it looks at in the answers. */

/** How a stream's content is made: `bytes` are strings of characters 0 to 255, `json` are texts of JSON values. */
export type Mode = "bytes" | "json";

export interface Claim {
  readonly id: string;
  readonly epoch: number;
  readonly seq: number;
}

export interface Create {
  readonly kind: "create";
  readonly mode: Mode;
  readonly ttlSeconds: number | undefined;
  readonly closed: boolean;
  readonly records: readonly string[];
}

export interface Append {
  readonly kind: "append";
  readonly mode: Mode;
  readonly records: readonly string[];
  readonly close: boolean;
  readonly producer: Claim | undefined;
  readonly streamSeq: string | undefined;
}

export type Command =
  | Create
  | Append
  | { readonly kind: "head" | "remove" | "alarm" | "restart" }
  | { readonly kind: "read"; readonly offset: string }
  | { readonly kind: "advance"; readonly ms: number };

export interface Observed {
  /** `created`, `exists`, `appended`, `duplicate`, `closed`, `read`, `head`, `removed`, `done`, or a problem's code. */
  readonly outcome: string;
  readonly closed?: boolean;
  /** What a read brought. */
  readonly text?: string;
  /** The producer's state that an append answers with. */
  readonly producer?: { readonly epoch: number; readonly seq: number };
  /** The sequence number that a gap is refused with, or the epoch that fences. */
  readonly expected?: number;
  /** Where the stream ends. */
  readonly offset?: string;
}

/** A real server behind the commands. */
export interface Driver {
  apply(command: Command): Promise<Observed>;
  /** Appends at the same time; the answers in the order of the appends. Absent: they are made one after the other. */
  applyTogether?(appends: readonly Append[]): Promise<Observed[]>;
}
