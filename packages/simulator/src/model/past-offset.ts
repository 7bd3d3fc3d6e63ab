/**
 * Offsets are opaque, and still some clients add one to what they were sent, to say "what comes after it". The digits at
 * the end of an offset are what they count in.
 */

const LAST_DIGITS = /\d+$/;

/** An offset, and one more. */
export function pastOffset(offset: string): string {
  return moved(offset, 1n);
}

/** What `pastOffset` was given. */
export function offsetBefore(offset: string): string {
  return moved(offset, -1n);
}

function moved(offset: string, by: bigint): string {
  return offset.replace(LAST_DIGITS, (digits) => String(BigInt(digits) + by).padStart(digits.length, "0"));
}
