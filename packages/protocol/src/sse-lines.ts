/**
 * Line breaks in the payload of a `data` event [PROTOCOL §5.8], where they change nothing: many parsers bound a line, the
 * usual ones at 64 KiB, and small messages that come together must not make one that is longer.
 */

import { MessageScanner } from "./message-counter.ts";

/** Bytes of a line at most, unless one message has more; with its field name it stays below 64 KiB. */
export const LINE_BYTES_MAX = 63 * 1024;

const LINE_FEED = 0x0a;

/** Breaks stored JSON between messages; a break there is white space. Its chunks may end anywhere. */
export class MessageLines {
  readonly #scanner = new MessageScanner();
  readonly #bytesMax: number;
  /** Bytes of the line that earlier chunks had. */
  #before = 0;

  constructor(bytesMax = LINE_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** @returns the positions in this chunk after which a line ends: ends of messages. */
  breaksIn(chunk: Uint8Array, isLast: boolean): number[] {
    const breaks: number[] = [];
    let lineStart = -this.#before;
    let lastEnd = 0;
    for (let index = 0; index < chunk.length; index += 1) {
      if (!this.#scanner.step(chunk[index] ?? 0)) continue;
      // The message that ends here does not fit behind those before it.
      if (index + 1 - lineStart > this.#bytesMax && lastEnd > Math.max(0, lineStart)) {
        breaks.push(lastEnd);
        lineStart = lastEnd;
      }
      lastEnd = index + 1;
    }
    // How long the next message is nobody knows yet: it gets a line of its own.
    if (!isLast && lastEnd > Math.max(0, lineStart)) {
      breaks.push(lastEnd);
      lineStart = lastEnd;
    }
    this.#before = chunk.length - lineStart;
    return breaks;
  }
}

/** The bytes, with a line feed at each place. */
export function withBreaks(bytes: Uint8Array<ArrayBuffer>, places: readonly number[]): Uint8Array<ArrayBuffer> {
  if (places.length === 0) return bytes;
  const broken = new Uint8Array(bytes.length + places.length);
  let from = 0;
  for (const [index, place] of places.entries()) {
    broken.set(bytes.subarray(from, place), from + index);
    broken[place + index] = LINE_FEED;
    from = place;
  }
  broken.set(bytes.subarray(from), from + places.length);
  return broken;
}

/** Base64 in lines. */
export function base64Lines(base64: string): string {
  if (base64.length <= LINE_BYTES_MAX) return base64;
  const lines: string[] = [];
  for (let from = 0; from < base64.length; from += LINE_BYTES_MAX)
    lines.push(base64.slice(from, from + LINE_BYTES_MAX));
  return lines.join("\n");
}

/** Whether a line of text has more bytes than a line should have. */
export function hasLongLine(text: Uint8Array): boolean {
  for (let from = 0; text.length - from > LINE_BYTES_MAX;) {
    const end = text.indexOf(LINE_FEED, from);
    if (end < 0 || end - from > LINE_BYTES_MAX) return true;
    from = end + 1;
  }
  return false;
}
