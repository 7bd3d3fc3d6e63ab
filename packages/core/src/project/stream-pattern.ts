/** Stream patterns in tokens and settings: an exact name, or a prefix that ends in `*`. */

import { STREAM_NAME_BYTES_MAX, utf8Length } from "@durable-streams-cloudflare/protocol";

/**
 * @param pattern `chat/1` is that stream alone; `chat/*` all whose names begin with `chat/`; `*` all. A star anywhere
 * else is an ordinary character.
 */
export function matchesPattern(pattern: string, stream: string): boolean {
  return pattern.endsWith("*") ? stream.startsWith(pattern.slice(0, -1)) : stream === pattern;
}

/** Whether a text can be a pattern: neither empty nor longer than any name. */
export function isPattern(text: unknown): text is string {
  return typeof text === "string" && text.length > 0 && utf8Length(text) <= STREAM_NAME_BYTES_MAX + 1;
}
