/**
 * Makes text from a server safe for a terminal. Whoever writes or names a stream must not be able to move the cursor, set the
 * title, or reverse text on the terminal of a reader.
 */

/**
 * Control characters (C0 except tab and line breaks, DEL, C1), line and paragraph separators, and marks that change the
 * direction of text. A carriage return is harmless only before a line feed.
 */
const UNSAFE =
  // oxlint-disable-next-line no-control-regex -- the pattern looks for control characters
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]|\r(?!\n)/g;

/** Writes unsafe characters as escapes such as `\u001b`, which keeps the value of a JSON string. */
export function escapeUnsafe(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Escapes data that arrives in chunks, which may begin or end within a character. */
export class SafeDecoder {
  readonly #decoder = new TextDecoder();

  push(data: string | Uint8Array): string {
    return escapeUnsafe(typeof data === "string" ? data : this.#decoder.decode(data, { stream: true }));
  }
}
