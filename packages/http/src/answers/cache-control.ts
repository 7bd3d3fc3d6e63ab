/** The `Cache-Control` header of every kind of response [PROTOCOL §10]. No response is sent without one. */

import type { Lineage, OffsetRef } from "@durable-streams-cloudflare/protocol";

export const NO_STORE = "no-store";

/** Server-sent events: never stored, and never transformed, because a compressor would hold events back. */
export const EVENT_STREAM = "no-cache, no-store, no-transform";

/** Cloudflare's caches would give what they have for as long as the server is out of order. */
const NOT_ON_ERROR = "stale-if-error=0";
/** Kept, but asked for each time; the entity tag makes that cheap. */
const REVALIDATE = `no-cache, ${NOT_ON_ERROR}`;
/** The bytes never change, but the stream may be deleted, and what was deleted is not to live on in caches for long. */
const FIXED = "max-age=3600, immutable";
const TAIL = `max-age=60, stale-while-revalidate=300, ${NOT_ON_ERROR}`;

/** A read, as far as caches must know it. */
export interface CachedRead {
  /** Whether shared caches may keep it. */
  readonly isPublic: boolean;
  /** Whether that may end soon. */
  readonly isRevocable?: boolean;
  /** As the URL names it; `undefined` when it names none. */
  readonly offset: OffsetRef | undefined;
  readonly lineage: Lineage;
  readonly from: number;
  readonly to: number;
  readonly tail: number;
}

/**
 * What caches may do with the answer to a read. A URL can come to mean another stream, when this one is deleted and made
 * again, unless its offset names this very incarnation (an ancestor's might come to mean another fork); only such an
 * answer may be given without asking. It is right for ever when it ends before the tail, and for a while when it ends
 * there: whoever gets it late goes on from where it ended. "Nothing yet" would hide what came, so it is never kept.
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
