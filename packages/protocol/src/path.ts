/** Stream names: the decoded, normalised path below the protocol's root [PROTOCOL §12.2]. */

/** The path that the protocol reserves below its root [PROTOCOL §6]. */
export const RESERVED_SEGMENT = "__ds";

/** The stream of a project that tells of its others. The server alone writes it. */
export const REGISTRY_STREAM = "__registry__";

/** Keeps `project/stream` below the 512 bytes of a KV key, the smallest store that a name ends up in. */
export const STREAM_NAME_BYTES_MAX = 400;

// oxlint-disable-next-line no-control-regex -- control characters are what we refuse
const FORBIDDEN_PATTERN = /[\u0000-\u001f\u007f]/;

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
  if (name === undefined) return invalid("The path has a broken percent-encoding, or is not UTF-8.");
  if (FORBIDDEN_PATTERN.test(name)) return invalid("The path has a control character.");
  const segments = name.split("/");
  if (segments.some((segment) => segment === "")) return invalid("The path has an empty segment.");
  if (segments.some((segment) => segment === "." || segment === "..")) {
    return invalid("The path has a '.' or '..' segment.");
  }
  if (utf8Length(name) > STREAM_NAME_BYTES_MAX) {
    const detail = `A stream's name has at most ${STREAM_NAME_BYTES_MAX} bytes in UTF-8.`;
    return { ok: false, reason: "too-long", detail };
  }
  return { ok: true, name, segments };
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
