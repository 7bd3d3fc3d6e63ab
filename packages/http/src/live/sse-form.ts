/**
 * Chooses the form in which SSE carries a stream's data [PROTOCOL §5.8]. Bytes go as base64, and so does text that SSE cannot
 * carry as it is: SSE is UTF-8, and ends lines at a CR. Clients decode by a response header, so a response has one form from
 * beginning to end. A response of text that meets other data ends before it; the client's next request gets base64.
 *
 * `text/plain` keeps its form in spite of a CR, which arrives as LF: the official suite asks for that.
 */

import { framingOf, isTextual, isUtf8, mediaType } from "@durable-streams-cloudflare/protocol";

import type { Reading } from "../client/paging.ts";

/** How `data` events carry the stream's bytes. */
export type SseForm = "json" | "text" | "base64";

export const CARRIAGE_RETURN = 0x0d;

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Chooses the form of a session.
 * @param reading the read that the session starts with; `undefined` at the tail.
 */
export function sseFormOf(contentType: string, reading: Reading | undefined): SseForm {
  if (framingOf(contentType) === "json") return "json";
  if (!isTextual(contentType) || !isUtf8(contentType)) return "base64";
  if (reading === undefined) return "text";
  // Nobody knows the rest of an append that comes in parts. A session of text that meets one tries, and breaks off when it
  // turns out to be something else; the next session then begins here.
  if (!reading.isEnd) return "base64";
  const { page, to, tail, closed } = reading.result;
  const isAll = closed && to === tail && reading.cold === undefined && page.length === to - reading.result.from;
  return decodeText(page, contentType, isAll) === undefined ? "base64" : "text";
}

/** Decoded text. `cut` is the number of bytes at the end that begin an incomplete character, and are not in `text`. */
export interface DecodedText {
  readonly text: string;
  readonly cut: number;
}

/**
 * Decodes bytes as text for SSE.
 * @param isAll whether no bytes follow, so that an incomplete character at the end is an error.
 * @returns `undefined` if SSE cannot carry the bytes as text.
 */
export function decodeText(bytes: Uint8Array, contentType: string, isAll: boolean): DecodedText | undefined {
  if (endsLines(bytes, contentType)) return undefined;
  const cut = isAll ? 0 : incompleteBytes(bytes);
  try {
    return { text: strict.decode(bytes.subarray(0, bytes.length - cut)), cut };
  } catch {
    return undefined;
  }
}

/** Whether the bytes contain a CR, which SSE would turn into LF, and the content type is one for which that matters. */
export function endsLines(bytes: Uint8Array, contentType: string): boolean {
  return mediaType(contentType) !== "text/plain" && bytes.includes(CARRIAGE_RETURN);
}

/** How many of the last bytes begin a UTF-8 character that is not complete. Bytes that no character has do not count. */
function incompleteBytes(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < characterLength(byte) ? back : 0;
  }
  return 0;
}

function characterLength(firstByte: number): number {
  if (firstByte >= 0xf5) return 1;
  if (firstByte >= 0xf0) return 4;
  return firstByte >= 0xe0 ? 3 : 2;
}
