/** What the edge asks of a stream's object, and what it answers: plain data, safe to send over RPC. */

import type {
  Lifetime,
  OffsetRef,
  Problem,
  ProducerClaim,
  ProducerState,
  Result,
} from "@durable-streams-cloudflare/protocol";

type Bytes = Uint8Array<ArrayBuffer>;

/** Makes the stream, or confirms that it exists as asked [PROTOCOL §5.1]. */
export interface CreateCommand {
  readonly contentType: string;
  readonly lifetime: Lifetime;
  readonly closed: boolean;
  /** Initial content in stored form; may be empty. */
  readonly bytes: Bytes;
}

export interface CreateFacts {
  readonly created: boolean;
  readonly contentType: string;
  readonly incarnation: number;
  readonly tail: number;
  readonly closed: boolean;
}

/** Adds to the stream, closes it, or both at once [PROTOCOL §5.2, §5.3]. */
export interface AppendCommand {
  /** In stored form; empty only together with `close` or `fault`. */
  readonly bytes: Bytes;
  /** The request's content type; `null` when it has none. */
  readonly contentType: string | null;
  readonly close: boolean;
  readonly producer?: ProducerClaim;
  readonly streamSeq?: string;
  /** Names this append to the object, so that the edge may repeat a call whose answer was lost. */
  readonly attempt?: string;
  /**
   * What is wrong with the request itself. The object refuses with it only after the stream's own state had its say:
   * a missing or closed stream comes first [PROTOCOL §5.2, Error Precedence].
   */
  readonly fault?: Problem;
}

export interface AppendFacts {
  /** `closed`: there was no data, the stream is closed. `duplicate`: a producer sent it before, nothing was added. */
  readonly outcome: "appended" | "closed" | "duplicate";
  readonly incarnation: number;
  /** Where the append ended; for a duplicate, the tail. */
  readonly tail: number;
  readonly closed: boolean;
  /** The producer's state after this append. */
  readonly producer?: ProducerState;
}

export interface HeadFacts {
  readonly contentType: string;
  readonly lifetime: Lifetime;
  readonly incarnation: number;
  readonly tail: number;
  readonly closed: boolean;
}

/** Asks for everything from an offset to the tail [PROTOCOL §5.6]. */
export interface ReadCommand {
  readonly from: OffsetRef;
  readonly ifNoneMatch: string | null;
  /** `bytes`: the first page may end anywhere; `appends`: it ends where an append does. */
  readonly paging: "bytes" | "appends";
}

export interface ReadFacts extends HeadFacts {
  readonly from: number;
  /** Where the response ends: the tail, or an append boundary before it when the read was cut. */
  readonly to: number;
  /** The entity tag of `[from, to)`. */
  readonly etag: string;
  readonly notModified: boolean;
  /** The first bytes of the range; the rest is asked for page by page. */
  readonly page: Bytes;
}

/** Asks for more of a range that a read has promised. */
export interface PageCommand {
  readonly incarnation: number;
  readonly from: number;
  readonly to: number;
}

export interface PageFacts {
  readonly page: Bytes;
}

/**
 * Where a live reader stands. `live`: at the tail, and the socket is attached; `behind`: it must catch up first;
 * `ended`: at the tail of a closed stream.
 */
export interface AttachFacts extends HeadFacts {
  readonly standing: "live" | "behind" | "ended";
  readonly position: number;
}

/** The methods of a stream's object that the edge calls. */
export interface StreamApi {
  create(command: CreateCommand): Promise<Result<CreateFacts>>;
  append(command: AppendCommand): Promise<Result<AppendFacts>>;
  head(): Promise<Result<HeadFacts>>;
  read(command: ReadCommand): Promise<Result<ReadFacts>>;
  page(command: PageCommand): Promise<Result<PageFacts>>;
  remove(): Promise<Result<object>>;
}
