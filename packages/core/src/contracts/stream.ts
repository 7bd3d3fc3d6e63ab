/** The requests to a stream's object and its answers: plain data that can be sent over RPC. */

import type {
  Ancestor,
  Lifetime,
  Lineage,
  OffsetRef,
  Problem,
  ProducerClaim,
  ProducerState,
  Result,
  Retention,
  Stretch,
} from "@durable-streams-cloudflare/protocol";

import type { ColdSlice } from "./cold-slice.ts";
import type { SessionApi, SessionStreamApi, SourceApi } from "./fan-out.ts";
import type { Identified } from "./request-id.ts";
import type { WantedApi } from "./wakes.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Makes the stream, or confirms that it exists as asked [PROTOCOL §5.1]. */
export interface CreateCommand extends Identified {
  /** `null` only for a fork, which then has its source's. */
  readonly contentType: string | null;
  readonly lifetime: Lifetime;
  readonly retention: Retention;
  readonly closed: boolean;
  /** What the request does not say, and the project's defaults do: a stream that is there may be otherwise. */
  readonly byDefault?: readonly ("contentType" | "lifetime" | "retention")[];
  /** Initial content in stored form; may be empty. */
  readonly bytes: Bytes;
  /** Whether to note who wrote each append. */
  readonly recordsAuthors?: boolean;
  /** The verified user who creates it, and so has written its initial content. */
  readonly author?: string | null;
  readonly fork?: ForkCommand;
}

/** Which stream to fork, by its full name, and where [PROTOCOL §4.2]. */
export interface ForkCommand {
  readonly source: string;
  /** `null`: the source's tail. */
  readonly offset: OffsetRef | null;
  readonly subOffset: number;
}

export interface CreateResult {
  readonly created: boolean;
  readonly contentType: string;
  readonly lineage: Lineage;
  readonly tail: number;
  readonly closed: boolean;
}

/** Adds to the stream, closes it, or both at once [PROTOCOL §5.2, §5.3]. */
export interface AppendCommand extends Identified {
  /** In stored form; empty only together with `close` or `fault`. */
  readonly bytes: Bytes;
  /** The request's content type; `null` when it has none. */
  readonly contentType: string | null;
  readonly close: boolean;
  readonly producer?: ProducerClaim;
  readonly streamSeq?: string;
  /**
   * The offset that the stream must end at; `""`: nothing must have been appended. With it, the fault `unavailable` is for
   * older objects.
   */
  readonly expected?: string;
  /** The verified user who writes this, for streams that record it. */
  readonly author?: string | null;
  /** Of what a source delivers into a session: `producer` then is the source, its epoch the link, its seq the position. */
  readonly delivery?: {
    /** The session's incarnation. */
    readonly incarnation: number;
    /** Positions of the source: where the link begins, and where these bytes do. */
    readonly start: number;
    readonly from: number;
  };
  /** Too early for its producer, it may wait for the ones before it. An older object refuses it at once. */
  readonly mayWait?: true;
  /** The edge knows that the project has a limit of bytes; a stream that is older may not have heard of it. */
  readonly isLimited?: true;
  /**
   * What is wrong with the request itself. The object refuses with it only after the stream's own state had its say:
   * a missing or closed stream comes first [PROTOCOL §5.2, Error Precedence].
   */
  readonly fault?: Problem;
}

export interface AppendResult {
  /** `closed`: there was no data, the stream is closed. `duplicate`: a producer sent it before, nothing was added. */
  readonly outcome: "appended" | "closed" | "duplicate";
  readonly lineage: Lineage;
  /** Where the append ended; for a duplicate, the tail. */
  readonly tail: number;
  readonly closed: boolean;
  /** The producer's state after this append. */
  readonly producer?: ProducerState;
}

export interface HeadResult {
  readonly contentType: string;
  readonly lifetime: Lifetime;
  readonly retention: Retention;
  /** Where the stream begins. */
  readonly earliest: number;
  readonly lineage: Lineage;
  readonly tail: number;
  readonly closed: boolean;
  /** The last `Stream-Seq`; only in the answer to HEAD, and to reads that are `asHead`. */
  readonly streamSeq?: string;
  /** Whether it is noted who wrote each append. */
  readonly recordsAuthors?: true;
}

/** Asks for everything from an offset to the tail [PROTOCOL §5.6]. */
export interface ReadCommand {
  readonly from: OffsetRef;
  readonly ifNoneMatch: string | null;
  /** `bytes`: the first page may end anywhere; `appends`: where an append does, unless that append is a large one. */
  readonly paging: "bytes" | "appends";
  /**
   * The answer is also that to HEAD: it ends at the tail, however far that is, and has all that HEAD says. An object of an
   * older version does not know this, and answers like any read.
   */
  readonly asHead?: true;
}

export interface ReadResult extends HeadResult, PageResult {
  readonly from: number;
  /** Where the response ends: the tail, or an append boundary before it when the read was cut. */
  readonly to: number;
  /** The entity tag of `[from, to)`. */
  readonly etag: string;
  readonly notModified: boolean;
  /** The first bytes of the range, unless they are cold or another object has them; the rest is asked for page by page. */
  readonly page: Bytes;
  /** Where the page ends, or, when it is the beginning of a large append and `paging` is `appends`, where that ends. */
  readonly end: number;
  /** Who has which part of the range. One stretch, of the stream itself, unless it is a fork. */
  readonly stretches: readonly Stretch[];
}

/** Asks the owner of a stretch for some of it. Deleted streams go on answering this as long as they have forks. */
export interface PageCommand {
  readonly incarnation: number;
  readonly from: number;
  readonly to: number;
  readonly paging: "bytes" | "appends";
  /** `from` came from a client: look whether an append ended there. Of cold bytes the caller looks himself. */
  readonly checkFrom?: true;
  /** With `checkFrom`: the caller understands `PageResult.boundary`. Otherwise a place inside an append is refused. */
  readonly align?: true;
}

/** Either bytes, or where they are; neither when the range is empty. */
export interface PageResult {
  readonly page: Bytes;
  /** As in `ReadResult`. */
  readonly end: number;
  /** Where the next bytes lie in R2; in order, without a gap. */
  readonly cold: readonly ColdSlice[];
  /** Appends in between after which the page is best cut into events; none, unless `paging` is `appends`. */
  readonly cuts?: readonly number[];
  /** The range begins inside an append, which begins here: there are no bytes, the caller asks again from this place. */
  readonly boundary?: number;
}

/**
 * Where a live reader stands. `live`: at the tail, and the socket is attached; `behind`: it must catch up first;
 * `ended`: at the tail of a closed stream.
 */
export interface AttachResult extends HeadResult {
  readonly status: "live" | "behind" | "ended";
  readonly position: number;
}

/** A fork asks its source to keep the bytes before a position. Idempotent. */
export interface PinCommand extends Omit<ForkCommand, "source"> {
  readonly forkId: string;
  readonly forkName: string;
  /** What the fork's creator asked for; a pin is refused when it does not fit. */
  readonly contentType: string | null;
  /** From this instant, in ms, on the fork may have given up. */
  readonly untilMs: number;
}

export interface PinResult {
  readonly contentType: string;
  readonly lifetime: Lifetime;
  /** Where the source begins now, and with it the fork. */
  readonly earliest: number;
  readonly incarnation: number;
  /** What the fork inherits. */
  readonly ancestors: readonly Ancestor[];
}

/** What the objects of two streams ask each other. */
export interface PeerApi {
  page(command: PageCommand): Promise<Result<PageResult>>;
  pin(command: PinCommand): Promise<Result<PinResult>>;
  release(forkId: string): Promise<void>;
}

/** The methods of a stream's object that the edge calls, and those that other objects do. */
export interface StreamApi extends PeerApi, SourceApi, SessionApi, SessionStreamApi, WantedApi {
  create(command: CreateCommand): Promise<Result<CreateResult>>;
  append(command: AppendCommand): Promise<Result<AppendResult>>;
  /** Several at once, in this order; one answer each. */
  appendAll(commands: readonly AppendCommand[]): Promise<Result<AppendResult>[]>;
  head(): Promise<Result<HeadResult>>;
  read(command: ReadCommand): Promise<Result<ReadResult>>;
  /** @param incarnation which stream is meant; without it, whatever is there. */
  remove(incarnation?: number): Promise<Result<object>>;
  /** Deletes the stream if its stored data is damaged; see `Stream.discard`. */
  discard(isEmptied?: boolean): Promise<Result<{ readonly wasDamaged: boolean }>>;
}
