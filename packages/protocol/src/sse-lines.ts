/**
 * Keeps the lines of `data` events short [PROTOCOL §5.8]: many parsers bound a line, the usual ones at 64 KiB, and small
 * messages that come together must not make one that is longer.
 */

import { MessageScanner } from "./message-counter.ts";

/** Bytes of a line at most, unless one message has more; with its field name it stays below 64 KiB. */
export const LINE_BYTES_MAX = 63 * 1024;

const LINE_FEED = 0x0a;

/** Groups stored JSON messages so that each group fits into a line, unless it is one longer message. */
export class MessageGroups {
  readonly #scanner = new MessageScanner();
  readonly #bytesMax: number;
  /** Bytes of the group that earlier chunks had. */
  #before = 0;

  constructor(bytesMax = LINE_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /**
   * Where groups end in this chunk: after messages. What follows the last of them belongs to a message that goes on.
   * @param chunk stored bytes, which may end anywhere.
   */
  endsIn(chunk: Uint8Array): number[] {
    const ends: number[] = [];
    let start = -this.#before;
    let lastEnd = 0;
    for (let index = 0; index < chunk.length; index += 1) {
      if (!this.#scanner.step(chunk[index] ?? 0)) continue;
      // The message that ends here does not fit behind those before it.
      if (index + 1 - start > this.#bytesMax && lastEnd > Math.max(0, start)) {
        ends.push(lastEnd);
        start = lastEnd;
      }
      lastEnd = index + 1;
    }
    // How long the next message is nobody knows yet: it begins a group.
    if (lastEnd > Math.max(0, start)) {
      ends.push(lastEnd);
      start = lastEnd;
    }
    this.#before = chunk.length - start;
    return ends;
  }
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
