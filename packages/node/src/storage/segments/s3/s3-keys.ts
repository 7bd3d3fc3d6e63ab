/**
 * The keys of segments in a bucket. Stores that speak S3 differ in which keys they accept: some refuse an empty part, a part of
 * dots or a part above 255 bytes, and XML cannot hold every character. So the name of a stream becomes one part of letters,
 * digits and a few marks.
 */

import { createHash } from "node:crypto";

const PART_CHARS_MAX = 200;
/** What is left of a name whose hash stands for its end. */
const SHORTENED_CHARS = 120;

/**
 * The key in the bucket of a segment, or of all segments that begin so.
 * @param key of core: `v1/<name of the stream>//<incarnation>/…`.
 */
export function s3Key(prefix: string, key: string): string {
  const nameEnd = key.indexOf("//");
  const nameStart = key.indexOf("/") + 1;
  if (nameEnd < nameStart) throw new Error(`The key of a segment has no name of a stream: ${key}`);
  return `${prefix}${key.slice(0, nameStart)}${partOf(key.slice(nameStart, nameEnd))}${key.slice(nameEnd + 1)}`;
}

/** `=` stands before the two digits of a byte, and before the hash of a long name. */
function partOf(name: string): string {
  const part = encodeURIComponent(name)
    .replaceAll(/[!'()*~]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/^\./, "%2E")
    .replaceAll("%", "=");
  if (part.length <= PART_CHARS_MAX) return part;
  return `${part.slice(0, SHORTENED_CHARS)}=h${createHash("sha256").update(name).digest("hex")}`;
}
