/**
 * Patterns of subscriptions over streams' names [PROTOCOL §6.2]: `*` is one segment, `**` is any number of them, and
 * `%2A` is a star that stands for itself.
 */

const ONE = "*";
const MANY = "**";

/**
 * Whether a pattern matches a whole name. A mismatch goes back to the latest `**` only, which is enough, so that the
 * work is at most the product of both lengths, whatever the pattern.
 */
export function matchesGlob(pattern: string, name: string): boolean {
  const globs = pattern.split("/");
  const segments = name.split("/");
  let at = 0;
  let glob = 0;
  // Where the latest `**` is, and where the segments that it does not take begin.
  let many = -1;
  let rest = 0;
  while (at < segments.length) {
    const current = globs[glob];
    if (current === MANY) {
      many = glob;
      rest = at;
      glob += 1;
    } else if (current === ONE || (current !== undefined && literalOf(current) === segments[at])) {
      glob += 1;
      at += 1;
    } else if (many >= 0) {
      rest += 1;
      at = rest;
      glob = many + 1;
    } else return false;
  }
  return globs.slice(glob).every((left) => left === MANY);
}

/** The text with which every name begins that a pattern matches. */
export function literalPrefix(pattern: string): string {
  const globs = pattern.split("/");
  const end = globs.findIndex((glob) => glob === ONE || glob === MANY);
  if (end < 0) return globs.map(literalOf).join("/");
  // Without the slash behind it, where `**` may be nothing.
  const prefix = globs.slice(0, end).map(literalOf).join("/");
  return globs[end] === MANY || prefix === "" ? prefix : `${prefix}/`;
}

function literalOf(glob: string): string {
  return glob.replace(/%2a/gi, "*");
}
