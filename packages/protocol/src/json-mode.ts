/**
 * JSON mode [PROTOCOL §9.1]: how messages lie in the log.
 *
 * Every message is stored as its source text followed by one `,`. So a body `[a, b]` is stored by cutting its
 * brackets and ending it with a comma, and a read is `[` + range without its last byte + `]`: nothing is parsed
 * into values and printed again, and `12345678901234567890`, `1.0` and duplicate keys survive.
 */

import { checkJson, isJsonSpace } from "./json-check.ts";

const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;

/** The body of a read that has no messages. */
export const EMPTY_ARRAY = "[]";

/** Why a body was refused. `empty-array` is fine for a create and refused for an append [PROTOCOL §9.1.3]. */
export type JsonBody =
  | { readonly ok: true; readonly stored: Uint8Array<ArrayBuffer> }
  | { readonly ok: false; readonly reason: "invalid" | "empty-array"; readonly detail: string };

/**
 * Validates a JSON body and converts it to the stored form, one array level flattened.
 * @param bytes the body as it came; anything but UTF-8 is invalid.
 * @param depthMax how many arrays and objects may be within one another.
 */
export function toStoredMessages(bytes: Uint8Array<ArrayBuffer>, depthMax: number): JsonBody {
  const fault = checkJson(bytes, depthMax);
  if (fault !== undefined) return { ok: false, reason: "invalid", detail: fault };
  let start = skipSpaceForward(bytes, 0);
  let end = skipSpaceBackward(bytes, bytes.length);
  if (bytes[start] === OPEN_BRACKET) {
    start += 1;
    end -= 1;
    if (skipSpaceForward(bytes, start) >= end) {
      return {
        ok: false,
        reason: "empty-array",
        detail: "The body is an empty JSON array: there is no message to append.",
      };
    }
  }
  const stored = new Uint8Array(end - start + 1);
  stored.set(bytes.subarray(start, end));
  stored[stored.length - 1] = COMMA;
  return { ok: true, stored };
}

function skipSpaceForward(bytes: Uint8Array, from: number): number {
  let index = from;
  while (index < bytes.length && isJsonSpace(bytes[index])) index += 1;
  return index;
}

function skipSpaceBackward(bytes: Uint8Array, from: number): number {
  let index = from;
  while (index > 0 && isJsonSpace(bytes[index - 1])) index -= 1;
  return index;
}
