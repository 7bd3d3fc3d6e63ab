/** Cursors [PROTOCOL §10.1]: numbers of 20-second intervals that keep CDN cache keys moving forward. */

const EPOCH_MS = Date.UTC(2024, 9, 9);
const INTERVAL_MS = 20_000;
const CURSOR_PATTERN = /^\d{1,64}$/;

/**
 * The cursor of a live response.
 *
 * Where the specification adds random jitter we add exactly one interval: it is strictly greater than the
 * client's cursor as required, and readers that moved together stay on one cache key.
 *
 * @param nowMs the server's clock in milliseconds.
 * @param clientCursor the `cursor` query parameter; anything that is no decimal number is ignored.
 */
export function nextCursor(nowMs: number, clientCursor: string | null): string {
  const current = BigInt(Math.max(0, Math.floor((nowMs - EPOCH_MS) / INTERVAL_MS)));
  if (clientCursor === null || !CURSOR_PATTERN.test(clientCursor)) return String(current);
  const claimed = BigInt(clientCursor);
  return String(claimed >= current ? claimed + 1n : current);
}
