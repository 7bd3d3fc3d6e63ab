/**
 * Text from a server on a terminal. Whoever writes a stream or names one must not be able to move the cursor, set the
 * title, or make text read backwards on the terminal of whoever lists or reads it.
 */

/**
 * Control characters (C0 but for tab and line breaks, DEL, C1), line and paragraph separators, and what changes the
 * direction of text. A carriage return is harmless in front of a line feed only.
 */
const UNSAFE =
  // oxlint-disable-next-line no-control-regex -- these are what it looks for
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]|\r(?!\n)/g;

/** Shows unsafe characters as `\u001b`, which is the same text where they stand within a JSON string. */
export function escapeUnsafe(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Escapes data that comes in pieces, which may be cut within a character. */
export class SafeDecoder {
  readonly #decoder = new TextDecoder();

  push(data: string | Uint8Array): string {
    return escapeUnsafe(typeof data === "string" ? data : this.#decoder.decode(data, { stream: true }));
  }
}
