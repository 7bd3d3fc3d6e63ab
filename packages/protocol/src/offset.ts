/**
 * Offsets [PROTOCOL §8]: opaque to clients, `<incarnation>_<position>` to us, each 16 decimal digits.
 *
 * - incarnation: minted when a stream is created, never used again.
 * - position: byte offset in the stream's stored form.
 *
 * `-1`, an absent offset and sixteen zeros twice all mean the beginning; `now` means the tail.
 */

const DIGITS = 16;
const OFFSET_PATTERN = /^\d{16}_\d{16}$/;

/** The offset that names the beginning of every stream, whatever its incarnation. */
export const ZERO_OFFSET = `${"0".repeat(DIGITS)}_${"0".repeat(DIGITS)}`;

/** Where a reader wants to start. `at` names an exact place in one incarnation of a stream. */
export type OffsetRef =
  | { readonly kind: "start" }
  | { readonly kind: "now" }
  | { readonly kind: "at"; readonly incarnation: number; readonly position: number };

/** Formats our numbers as the token that clients store. Both must be safe, non-negative integers. */
export function formatOffset(incarnation: number, position: number): string {
  return `${pad(incarnation)}_${pad(position)}`;
}

/**
 * Parses the `offset` query parameter or a fork header.
 * @param text the raw value; `null` when the parameter is absent.
 * @returns `undefined` when the text is not an offset.
 */
export function parseOffset(text: string | null): OffsetRef | undefined {
  if (text === null || text === "-1" || text === ZERO_OFFSET) return { kind: "start" };
  if (text === "now") return { kind: "now" };
  if (!OFFSET_PATTERN.test(text)) return undefined;
  const incarnation = Number(text.slice(0, DIGITS));
  const position = Number(text.slice(DIGITS + 1));
  if (!Number.isSafeInteger(incarnation) || !Number.isSafeInteger(position)) return undefined;
  return { kind: "at", incarnation, position };
}

function pad(value: number): string {
  return String(value).padStart(DIGITS, "0");
}
