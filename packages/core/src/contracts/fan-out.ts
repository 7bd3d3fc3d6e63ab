/**
 * The messages between the objects of the fan-out: plain data that can be sent over RPC. These objects do not import each
 * other, so everything that they agree on is here. `docs/estuaries.md` explains how they work together.
 *
 * Stream names are full names, `<project>/<stream>`. Positions are those of the source unless a comment says otherwise.
 */

import type { OffsetRef, Result, Stretch } from "@durable-streams-cloudflare/protocol";

import type { Authors } from "./authors.ts";
import type { ColdSlice } from "./cold-slice.ts";
import type { Grant } from "./grant.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** `raw`: the source's bytes as they are; `envelope`: a JSON message that says where each message comes from. */
export type LinkFormat = "raw" | "envelope";

/** Why nothing more will come from a source. */
export type SourceEnd = "closed" | "deleted" | LinkEnd;

/** Why a link is over whose source goes on: its grant has ended, or was taken back. */
export type LinkEnd = "expired" | "revoked";

/**
 * A session's following of a source, from one subscribing to one unsubscribing. Even, and greater for each later one of
 * the same session: the odd number after it means that it is over.
 */
export type LinkId = number;

/** The stream that is followed, as its followers see it. */
export interface SourceApi {
  follow(command: FollowCommand): Promise<Result<FollowResult>>;
  /** Takes the following back, unless it was renewed with another token meanwhile. */
  unfollow(token: number): Promise<void>;
  pull(command: PullCommand): Promise<Result<PullResult>>;
}

export interface FollowCommand {
  /** Identifies this following: the source notifies of appends as long as it has a token. */
  readonly token: number;
  /** Where the new link begins. */
  readonly from: OffsetRef;
}

export interface FollowResult {
  readonly incarnation: number;
  readonly contentType: string;
  /** Where the new link begins, as a position and as an offset. */
  readonly position: number;
  readonly offset: string;
}

/** Asks for whole appends from a position on. */
export interface PullCommand {
  readonly incarnation: number;
  readonly from: number;
  /** `null`: up to the tail. */
  readonly to: number | null;
  /** Deleted streams answer too, as long as forks read from them. */
  readonly forFork?: true;
}

export interface PullResult {
  /** Where the bytes begin: at `from`, unless retention has let go of what was there. */
  readonly begin: number;
  /** Empty at the tail, or when the bytes lie elsewhere. */
  readonly bytes: Bytes;
  /** Where appends end, relative to `begin`, in order. The bytes end with the last of them. */
  readonly ends: readonly number[];
  /** Who wrote each append, where the stream records it. */
  readonly authors?: Authors | undefined;
  /** Where the bytes lie in R2. */
  readonly cold: readonly ColdSlice[];
  /** Which other stream has the bytes, because the source is a fork. */
  readonly stretch: Stretch | undefined;
  readonly tail: number;
  readonly closed: boolean;
}

/** The stream of a session, as its sources see it. */
export interface SessionApi {
  deliver(command: DeliverCommand): Promise<Result<DeliverResult>>;
}

/** Some of what the source has: whole appends `[from, to)`, or what retention has left of them, `[begin, to)`. */
export interface DeliverCommand {
  readonly source: string;
  readonly link: LinkId;
  /** The session's incarnation: a later session of the same name is another one. */
  readonly incarnation: number;
  readonly format: LinkFormat;
  /** Where the link begins. */
  readonly start: number;
  readonly from: number;
  readonly begin: number;
  readonly to: number;
  readonly bytes: Bytes;
  /** Relative to `begin`. */
  readonly ends: readonly number[];
  /** Who wrote each append, where the source records it. */
  readonly authors?: Authors | undefined;
  /** The incarnation that the source's offsets in this range have. */
  readonly owner: number;
  readonly contentType: string;
  /** Nothing comes after this. */
  readonly end?: SourceEnd;
}

export interface DeliverResult {
  /** How far the session has got; `to`, unless it had got elsewhere before: then it has taken nothing. */
  readonly position: number;
  /** The session has seen the end of this link, or a later one: nothing of it is wanted any more. */
  readonly isOver: boolean;
}

/** The stream of a session, as its estuary sees it. */
export interface SessionStreamApi {
  /** Makes the session's stream, or renews its lifetime. */
  openSession(command: OpenSessionCommand): Promise<Result<SessionResult>>;
  /** @param renew whether this is a use of the session. */
  session(renew: boolean): Promise<Result<SessionResult>>;
  /** Deletes the stream, unless another session has begun at its name. */
  endSession(incarnation: number): Promise<Result<object>>;
}

export interface OpenSessionCommand {
  readonly contentType: string;
  readonly ttlSeconds: number;
}

export interface SessionResult {
  readonly incarnation: number;
  readonly contentType: string;
  /** When the session ends unless it is used, in ms. */
  readonly deadlineMs: number;
}

/** The followers of one source. */
export interface FollowerSetApi {
  link(command: LinkCommand): Promise<Result<LinkResult>>;
  unlink(command: UnlinkCommand): Promise<Result<object>>;
  /** Who follows the source, in the order of the sessions' names. */
  listFollowers(command: ListFollowersCommand): Promise<FollowerPage>;
  /** Revokes links: from now on they deliver nothing more. Idempotent. */
  endLinks(filter: FollowerFilter): Promise<{ readonly ended: number }>;
  /**
   * The source has grown, or ended: `null`.
   * @returns the token by which it is followed; `null`: it is not.
   */
  notify(notification: SourceNotification | null): Promise<number | null>;
}

/** The part of the source's followers that is called a shard, as its subscription sees whoever serves it. */
export interface ShardApi {
  /** The links to deliver the page to; `null`: it is not wanted any more. */
  shard(ref: ShardRef): Promise<ShardResult | null>;
  /** All of them have it but these. Idempotent. */
  shardServed(ref: ShardRef, failures: readonly ShardFailure[]): Promise<void>;
}

/** A page, `[from, to)` of the source, for the sessions whose names come after one, up to another. Holds no payload. */
export interface ShardRef {
  readonly source: string;
  readonly incarnation: number;
  readonly from: number;
  readonly to: number;
  readonly after: string;
  readonly upTo: string;
}

export interface ShardResult {
  readonly contentType: string;
  /** As far as the links reach: before the shard's own end when there are too many. */
  readonly upTo: string;
  readonly links: readonly ShardLink[];
}

export interface ShardLink {
  readonly session: string;
  readonly link: LinkId;
  readonly sessionIncarnation: number;
  readonly format: LinkFormat;
  readonly start: number;
}

export interface ShardFailure {
  readonly session: string;
  readonly link: LinkId;
  /** The session does not want any more; otherwise it has not got all. */
  readonly isOver: boolean;
}

/** How far the source has got. */
export interface SourceNotification {
  readonly incarnation: number;
  readonly tail: number;
  readonly closed: boolean;
}

/** Which followers: the session of that full name, or all whose links a key, or a user, has made. */
export type FollowerFilter = { readonly session: string } | { readonly kid: string } | { readonly user: string };

export interface ListFollowersCommand {
  /** The session that the page before ended with; `""`: from the first on. */
  readonly after: string;
  readonly limit: number;
}

export interface Follower extends Grant {
  /** Its full name. */
  readonly session: string;
  readonly format: LinkFormat;
  /** The source's offset at which the link begins. */
  readonly offset: string;
  /** `null`: before links remembered it. */
  readonly sinceMs: number | null;
}

export interface FollowerPage {
  readonly followers: readonly Follower[];
  /** Whether there are more. */
  readonly hasMore: boolean;
}

/** Idempotent. */
export interface LinkCommand {
  readonly session: string;
  readonly sessionIncarnation: number;
  /** Of the session's stream: a raw link needs the same one. */
  readonly sessionContentType: string;
  readonly link: LinkId;
  readonly format: LinkFormat;
  readonly from: OffsetRef;
  /** From this instant, in ms, on the session may have given up. */
  readonly untilMs: number;
  /** Who makes the link, and until when. */
  readonly grant?: Grant;
  /** The link is there: it takes over the grant. Where it is over, nothing is made: `subscription-not-found`. */
  readonly isRenewal?: boolean;
}

export interface LinkResult {
  /** The source's offset at which the link begins. */
  readonly offset: string;
}

export interface UnlinkCommand {
  readonly session: string;
  readonly link: LinkId;
  /** Whether what was published until now still arrives: not where the session is gone. */
  readonly drain: boolean;
  /** Until this instant, in ms, a call that makes the link may still arrive; it is refused then. 0: none is under way. */
  readonly refuseUntilMs: number;
}

/** One session: which sources it follows. */
export interface EstuaryApi {
  subscribe(command: SubscribeCommand): Promise<Result<SubscribeResult>>;
  /** The same, where it matters that nothing of the command is left out. */
  join(command: SubscribeCommand): Promise<Result<SubscribeResult>>;
  /** Idempotent: a source that is not followed is no fault. */
  unsubscribe(sources: readonly string[]): Promise<Result<{ results: readonly SourceResult[] }>>;
  describe(): Promise<Result<EstuaryResult>>;
  /** Renews the session's lifetime. */
  touch(): Promise<Result<Pick<EstuaryResult, "deadlineMs">>>;
  remove(): Promise<Result<object>>;
}

/** The project, as the followers of its streams see it: it knows where its keys have made links, so that all can be ended. */
export interface LinkKeysApi {
  /**
   * Links to a source are made by a key. Idempotent.
   * @returns `false` when the key's links were ended: it may make none.
   */
  noteLinkKey(note: LinkKeyNote): Promise<boolean>;
  /** No link is left of a following, or of one before it. Idempotent. */
  forgetLinkKeys(source: string, token: number): Promise<void>;
}

export interface LinkKeyNote {
  readonly kid: string;
  /** Its full name. */
  readonly source: string;
  /** Names the following, as in `FollowCommand`. */
  readonly token: number;
}

/** One session, as the followers of its sources see it. */
export interface LinkOwnerApi {
  /** A link has ended at its source, and delivers nothing more. Idempotent. */
  linkEnded(source: string, link: LinkId): Promise<void>;
}

export interface SubscribeCommand {
  readonly sources: readonly string[];
  readonly format: LinkFormat;
  readonly from: OffsetRef;
  /** Of the session, if this makes it. */
  readonly ttlSeconds: number;
  /** Where to begin in some of the sources instead of at `from`, by name. */
  readonly froms?: Readonly<Record<string, OffsetRef>>;
  readonly grant?: Grant;
}

export interface SubscribeResult extends Pick<EstuaryResult, "deadlineMs" | "contentType"> {
  readonly results: readonly SourceResult[];
}

/** What became of one source; `offset`: where the session begins to follow it. */
export type SourceResult = { readonly source: string } & Result<{ readonly offset?: string }>;

export interface EstuaryResult {
  readonly contentType: string;
  readonly deadlineMs: number;
  readonly subscriptions: readonly FollowedSource[];
}

export interface FollowedSource {
  readonly source: string;
  readonly format: LinkFormat;
  readonly offset: string;
  /** When the session ceases to follow it by itself, in ms; `null`: it does not. */
  readonly expiresAtMs: number | null;
}
