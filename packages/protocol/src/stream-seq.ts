/**
 * `Stream-Seq` [PROTOCOL §5.2]: an opaque writer sequence, compared byte by byte.
 * Scope: one sequence per stream, whoever writes.
 */

import { HEADER } from "./headers.ts";

export const STREAM_SEQ_LENGTH_MAX = 1024;

export function isStreamSeq(text: string): boolean {
  return text.length > 0 && text.length <= STREAM_SEQ_LENGTH_MAX;
}

/** The last one, for an answer; nothing where a header cannot carry it. */
export function lastSeqHeader(last: string | undefined): Record<string, string> {
  return last !== undefined && /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(last) ? { [HEADER.seq]: last } : {};
}

/**
 * Whether `next` comes strictly after `last` in byte order. Code points are compared because their order is the
 * order of the UTF-8 bytes, which the order of JavaScript's UTF-16 units is not.
 */
export function isStreamSeqAfter(next: string, last: string | undefined): boolean {
  if (last === undefined) return true;
  const [a, b] = [Array.from(next), Array.from(last)];
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const difference = (a[index]?.codePointAt(0) ?? 0) - (b[index]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return a.length > b.length;
}
