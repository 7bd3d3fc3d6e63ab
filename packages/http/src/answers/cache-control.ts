/** The `Cache-Control` header of every kind of response [PROTOCOL §10]. No response is sent without one. */

import type { Lineage, OffsetRef } from "@durable-streams-cloudflare/protocol";

/** For answers that no cache may keep. */
export const NO_STORE = "no-store";

/** For server-sent events: neither stored nor transformed, because a compressing proxy would delay events. */
export const EVENT_STREAM = "no-cache, no-store, no-transform";

/** Cloudflare's caches would give what they have for as long as the server is out of order. */
const NOT_ON_ERROR = "stale-if-error=0";
/** Kept, but asked for each time; the entity tag makes that cheap. */
const REVALIDATE = `no-cache, ${NOT_ON_ERROR}`;
/** The bytes never change, but the stream may be deleted, and what was deleted is not to live on in caches for long. */
const FIXED = "max-age=3600, immutable";
const TAIL = `max-age=60, stale-while-revalidate=300, ${NOT_ON_ERROR}`;

/** The properties of a read that decide how its answer may be cached. */
export interface CachedRead {
  /** Whether shared caches may keep it. */
  readonly isPublic: boolean;
  /** Whether the public right to read may be revoked, so that caches must ask again within minutes. */
  readonly isRevocable?: boolean;
  /** The offset in the URL; `undefined` if the URL has none. */
  readonly offset: OffsetRef | undefined;
  readonly lineage: Lineage;
  readonly from: number;
  readonly to: number;
  readonly tail: number;
}

/**
 * The `Cache-Control` of an answer to a read [PROTOCOL §10].
 *
 * A URL can come to mean another stream, if this one is deleted and created again, unless its offset names this very
 * incarnation (the incarnation of a fork's ancestor is not enough: the URL could come to mean another fork). So only an answer
 * to such a URL may be reused without asking the server. It stays right forever if it ends before the tail. If it ends at the
 * tail, it stays usable for a while, because a client that gets an old copy continues from where the copy ends. An answer
 * without data is never kept, because it would hide data that came later.
 */
export function readCacheControl(read: CachedRead): string {
  const { isPublic, isRevocable = false, offset, lineage, from, to, tail } = read;
  // A bare GET has the URL of HEAD, which caches would answer from it.
  if (offset === undefined || offset.kind === "now") return NO_STORE;
  const scope = isPublic ? "public" : "private";
  const namesIncarnation = offset.kind === "at" && offset.incarnation === lineage.incarnation;
  // An offset that no append ends at stands for the boundary below it, and by and by an append may end at it.
  const namesPosition = namesIncarnation && offset.position === from;
  if (!namesPosition || from === to) return `${scope}, ${REVALIDATE}`;
  return `${scope}, ${to < tail && !isRevocable ? FIXED : TAIL}`;
}
