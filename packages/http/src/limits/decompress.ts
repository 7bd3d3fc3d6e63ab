/**
 * Decodes compressed bodies. A gzip body may have several members, as log shippers and `cat a.gz b.gz` write them; the
 * platform's decoder takes only one, so the members are separated here.
 */

import { concatBytes } from "@durable-streams-cloudflare/core/kit/bytes";

import type { Held } from "./held-bytes.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** The decoded bytes, or why there are none. `busy`: the limit of `Held` is reached. */
export type Decoded =
  | { readonly ok: true; readonly bytes: Bytes }
  | { readonly ok: false; readonly reason: "broken" | "too-large" | "busy" };

/** What one attempt made of a part of a body. `size`: how many bytes came out of it, whether or not they are of use. */
type Attempt = Decoded & { readonly size: number };

/** A member begins with its magic number, the method deflate, and flags of which three are reserved [RFC 1952]. */
const MAGIC = [0x1f, 0x8b, 0x08] as const;
const RESERVED_FLAGS = 0xe0;
/** A header, the shortest block, a checksum and a length. */
const MEMBER_BYTES_MIN = 20;
/** The length of what a member decodes to ends it. */
const LENGTH_BYTES = 4;
/** The most members of a gzip body. Each needs a decoder of its own. */
export const MEMBERS_MAX = 1_024;
/**
 * How much may be decoded in vain, in lengths of the body and in those of what it may decode to: something inside a member may
 * look like the beginning of the next. By chance that happens once in ten gigabytes.
 */
const VAIN_MAX = 2;

/**
 * Decodes all members of a gzip body, and concatenates them.
 * @param held counts the decoded bytes as they are produced, because a few compressed bytes may decode to more than an
 *   isolate's memory.
 */
export async function gunzip(body: Bytes, bytesMax: number, held?: Held): Promise<Decoded> {
  const chunks: Bytes[] = [];
  const vain = { attempts: 0, bytes: 0, decoded: 0 };
  let room = bytesMax;
  for (let start = 0; start < body.length || chunks.length === 0;) {
    let memberEnd = start;
    for (const end of memberEnds(body, start, room)) {
      const decoded = await decode(body.subarray(start, end), "gzip", room, held);
      if (decoded.ok) {
        chunks.push(decoded.bytes);
        room -= decoded.size;
        memberEnd = end;
        break;
      }
      if (decoded.reason !== "broken") return decoded;
      vain.attempts += 1;
      vain.bytes += end - start;
      vain.decoded += decoded.size;
      if (vain.bytes > VAIN_MAX * body.length || vain.decoded > VAIN_MAX * bytesMax) break;
    }
    if (memberEnd === start || chunks.length + vain.attempts > MEMBERS_MAX) return { ok: false, reason: "broken" };
    start = memberEnd;
  }
  return { ok: true, bytes: concatBytes(chunks) };
}

/** Decodes a zlib stream [RFC 1950], which has no members. */
export function inflate(body: Bytes, bytesMax: number, held?: Held): Promise<Decoded> {
  return decode(body, "deflate", bytesMax, held);
}

/** Where the member that begins at `start` may end: before what looks like another, and at the end of the body. */
function* memberEnds(body: Bytes, start: number, room: number): Generator<number> {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const [first] = MAGIC;
  let at = body.indexOf(first, start + MEMBER_BYTES_MIN);
  for (; at !== -1; at = body.indexOf(first, at + 1)) {
    const isMagic = MAGIC.every((byte, index) => body[at + index] === byte);
    if (!isMagic || ((body[at + MAGIC.length] ?? 0xff) & RESERVED_FLAGS) !== 0) continue;
    // What would be the length of a member that is too large is none, or the body is too large anyway.
    if (view.getUint32(at - LENGTH_BYTES, true) <= room) yield at;
  }
  yield body.length;
}

async function decode(
  body: Bytes,
  format: "gzip" | "deflate",
  bytesMax: number,
  held: Held | undefined,
): Promise<Attempt> {
  const reader = new Blob([body]).stream().pipeThrough(new DecompressionStream(format)).getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  let reason: "too-large" | "busy" = "too-large";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { ok: true, bytes: concatBytes(chunks), size };
      size += value.length;
      if (size > bytesMax) break;
      if (held?.take(value.length) === false) {
        reason = "busy";
        break;
      }
      chunks.push(value);
    }
  } catch {
    return { ok: false, reason: "broken", size };
  }
  // The rest of a bomb is not inflated: that is the work that its sender wants done.
  void reader.cancel().catch(() => undefined);
  return { ok: false, reason, size };
}
