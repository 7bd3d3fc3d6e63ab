/** `Cache-Control` of every kind of response [PROTOCOL §10]: none leaves without one. */

export const NO_STORE = "no-store";

/** Server-sent events: never stored, and never transformed, because a compressor would hold events back. */
export const EVENT_STREAM = "no-cache, no-store, no-transform";

/**
 * A read of data. A range that ends before the tail can never change, if its URL names the incarnation; what reaches
 * the tail is fresh for a minute.
 */
export function readCacheControl(facts: { isPublic: boolean; isFixed: boolean }): string {
  const scope = facts.isPublic ? "public" : "private";
  return facts.isFixed ? `${scope}, max-age=31536000, immutable` : `${scope}, max-age=60, stale-while-revalidate=300`;
}
