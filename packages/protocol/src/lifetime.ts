/** Lifetimes [PROTOCOL §5.1]: a sliding window (`Stream-TTL`) or a fixed instant (`Stream-Expires-At`). */

import { HEADER, type HeaderReader } from "./headers.ts";

/** How long a stream lasts. `ttl` slides with every read and write; `at` is a fixed instant. */
export type Lifetime =
  | { readonly kind: "forever" }
  | { readonly kind: "ttl"; readonly ttlSeconds: number }
  | { readonly kind: "at"; readonly expiresAtMs: number };

export const FOREVER: Lifetime = { kind: "forever" };

/** A hundred years: longer windows are surely mistakes, and the arithmetic stays exact. */
export const TTL_SECONDS_MAX = 3_153_600_000;

const TTL_PATTERN = /^(?:0|[1-9]\d*)$/;
const RFC3339_PATTERN =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](?:[01]\d|2[0-3]):\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

export type ParsedLifetime =
  | { readonly ok: true; readonly lifetime: Lifetime }
  | { readonly ok: false; readonly detail: string };

/** Reads the two lifetime headers of a create. Both at once is an error, as the specification advises. */
export function parseLifetime(header: HeaderReader): ParsedLifetime {
  const ttl = header(HEADER.ttl);
  const expiresAt = header(HEADER.expiresAt);
  if (ttl !== null && expiresAt !== null) {
    return invalid("Send either Stream-TTL or Stream-Expires-At, not both.");
  }
  if (ttl !== null) return parseTtl(ttl);
  if (expiresAt !== null) return parseExpiresAt(expiresAt);
  return { ok: true, lifetime: FOREVER };
}

/** Whether two lifetimes ask for the same thing. Instants are compared, not their spelling. */
export function sameLifetime(a: Lifetime, b: Lifetime): boolean {
  if (a.kind === "ttl") return b.kind === "ttl" && a.ttlSeconds === b.ttlSeconds;
  if (a.kind === "at") return b.kind === "at" && a.expiresAtMs === b.expiresAtMs;
  return b.kind === "forever";
}

/** The instant a stream ends if nobody touches it again, in ms; `undefined` when it never does. */
export function deadlineMs(lifetime: Lifetime, touchedAtMs: number): number | undefined {
  if (lifetime.kind === "ttl") return touchedAtMs + lifetime.ttlSeconds * 1000;
  return lifetime.kind === "at" ? lifetime.expiresAtMs : undefined;
}

function parseTtl(text: string): ParsedLifetime {
  const seconds = Number(text);
  if (!TTL_PATTERN.test(text) || seconds > TTL_SECONDS_MAX) {
    return invalid(
      `Stream-TTL must be a whole number of seconds from 0 to ${TTL_SECONDS_MAX}, without a sign or leading zeros.`,
    );
  }
  return { ok: true, lifetime: { kind: "ttl", ttlSeconds: seconds } };
}

function parseExpiresAt(text: string): ParsedLifetime {
  const match = RFC3339_PATTERN.exec(text);
  const instant = match === null ? Number.NaN : Date.parse(text.toUpperCase());
  if (match === null || Number.isNaN(instant) || !isRealDate(match)) {
    return invalid("Stream-Expires-At must be an RFC 3339 timestamp, such as 2031-01-31T12:00:00Z.");
  }
  return { ok: true, lifetime: { kind: "at", expiresAtMs: instant } };
}

// Date.parse rolls 30 February over into March.
function isRealDate(match: RegExpExecArray): boolean {
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  return day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}

function invalid(detail: string): ParsedLifetime {
  return { ok: false, detail };
}
