/** Stream names: the decoded, normalised path below the protocol's root [PROTOCOL §12.2]. */

/** The path that the protocol reserves below its root [PROTOCOL §6]. */
export const RESERVED_SEGMENT = "__ds";

/** The stream that lists the other streams of a project. Only the server writes it. */
export const REGISTRY_STREAM = "__registry__";

/** Keeps `project/stream` below the 512 bytes of a KV key, the smallest store that a name ends up in. */
export const STREAM_NAME_BYTES_MAX = 400;

// oxlint-disable-next-line no-control-regex -- control characters are what we refuse
const FORBIDDEN_PATTERN = /[\u0000-\u001f\u007f]/;

/**
 * What hides or reorders text where a name is shown, such as in a terminal: C1 controls, line and paragraph separators, marks
 * of direction.
 */
const HIDDEN_PATTERN = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

/** A session is a stream whose name has one segment, of characters that need no encoding. */
const SESSION_ID = /^(?!\.{1,2}$)[A-Za-z0-9._~:@-]{1,128}$/;

export type ParsedName =
  | { readonly ok: true; readonly name: string; readonly segments: readonly string[] }
  | { readonly ok: false; readonly reason: "invalid" | "too-long"; readonly detail: string };

/**
 * Turns the raw path of a request, below the root, into the one name that all its spellings share: percent-decoded
 * once, then in Unicode normal form C. An encoded slash is a slash. `.` and `..`, empty segments and control
 * characters are refused rather than resolved, so that no spelling leaves its tenant.
 */
export function parseStreamName(rawPath: string): ParsedName {
  const name = decode(rawPath);
  if (name === undefined) return invalid("The path has an invalid percent-encoding or is not valid UTF-8.");
  if (FORBIDDEN_PATTERN.test(name)) return invalid("The path contains a control character.");
  const segments = name.split("/");
  if (segments.some((segment) => segment === "")) return invalid("The path contains an empty segment.");
  if (segments.some((segment) => segment === "." || segment === "..")) {
    return invalid("The path contains a '.' or '..' segment.");
  }
  if (utf8Length(name) > STREAM_NAME_BYTES_MAX) {
    const detail = `A stream's name can have at most ${STREAM_NAME_BYTES_MAX} bytes in UTF-8.`;
    return { ok: false, reason: "too-long", detail };
  }
  return { ok: true, name, segments };
}

/**
 * Whether a text is one line that shows what it is. New streams have such names; older ones may have others, and are
 * still read, written and deleted.
 */
export function isPlainLine(text: string): boolean {
  return !HIDDEN_PATTERN.test(text);
}

/** Whether this may name a session: reserved names may not, because no stream can be reached by them. */
export function isSessionId(named: unknown): named is string {
  return typeof named === "string" && SESSION_ID.test(named) && named !== RESERVED_SEGMENT && named !== REGISTRY_STREAM;
}

/** Bytes of the text in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4;
  }
  return bytes;
}

function decode(rawPath: string): string | undefined {
  try {
    return decodeURIComponent(rawPath).normalize("NFC");
  } catch {
    return undefined;
  }
}

function invalid(detail: string): ParsedName {
  return { ok: false, reason: "invalid", detail };
}
