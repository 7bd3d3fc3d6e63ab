/** Forks [PROTOCOL §4.2]: the three headers of a create. */

import { HEADER, type HeaderReader } from "./headers.ts";
import { parseOffset, type OffsetRef } from "./offset.ts";

const SUB_OFFSET_PATTERN = /^(?:0|[1-9]\d{0,14})$/;

/** What a create asks to fork from, and where. */
export interface ForkRequest {
  /** The header's value: the path of the source's URL. */
  readonly sourcePath: string;
  /** `undefined`: the source's tail. */
  readonly offset: OffsetRef | undefined;
  /** Messages (JSON) or bytes (all others) beyond `offset`. */
  readonly subOffset: number;
}

export type ParsedFork =
  | { readonly ok: true; readonly fork: ForkRequest | undefined }
  | { readonly ok: false; readonly detail: string };

export function parseFork(header: HeaderReader): ParsedFork {
  const sourcePath = header(HEADER.forkedFrom);
  const offsetText = header(HEADER.forkOffset);
  const subOffsetText = header(HEADER.forkSubOffset);
  if (sourcePath === null) {
    if (offsetText === null && subOffsetText === null) return { ok: true, fork: undefined };
    return invalid(`${HEADER.forkOffset} and ${HEADER.forkSubOffset} require ${HEADER.forkedFrom}.`);
  }
  const offset = offsetText === null ? undefined : parseOffset(offsetText);
  if (offsetText !== null && (offset === undefined || offset.kind === "now")) {
    return invalid(`${HEADER.forkOffset} must be -1 or an offset that the server returned.`);
  }
  if (subOffsetText !== null && !SUB_OFFSET_PATTERN.test(subOffsetText)) {
    return invalid(`${HEADER.forkSubOffset} must be a non-negative whole number, without a sign or leading zeros.`);
  }
  const subOffset = Number(subOffsetText ?? 0);
  if (subOffset > 0 && offset === undefined) return invalid(`${HEADER.forkSubOffset} requires ${HEADER.forkOffset}.`);
  return { ok: true, fork: { sourcePath, offset, subOffset } };
}

function invalid(detail: string): ParsedFork {
  return { ok: false, detail };
}
