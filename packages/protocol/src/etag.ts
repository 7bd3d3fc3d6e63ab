/** Entity tags [PROTOCOL §5.6, §10.1; RFC 9110 §8.8.3, §13.1.2]. */

/**
 * The tag of a range. It names the incarnation, so that a stream created again at the same URL never validates an
 * old copy, and whether the answer says that the stream is closed, so that a close changes it.
 */
export function rangeEtag(incarnation: number, from: number, to: number, closed: boolean): string {
  return `"${incarnation}:${from}:${to}${closed ? ":c" : ""}"`;
}

/**
 * Whether `If-None-Match` names this tag. Comparison is weak, as the RFC asks for this header.
 * @param ifNoneMatch the header: a list of tags, or `*`.
 */
export function matchesEtag(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false;
  if (ifNoneMatch.trim() === "*") return true;
  return ifNoneMatch.split(",").some((candidate) => candidate.trim().replace(/^W\//, "") === etag);
}
