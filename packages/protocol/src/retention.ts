/** Retention, an extension: how much of a stream is kept, by age or by size. `docs/extensions.md` describes it. */

import { HEADER, type HeaderReader } from "./headers.ts";

/** What must be kept at least; what is beyond either of them may go. `undefined`: no such limit. */
export interface Retention {
  readonly seconds: number | undefined;
  readonly bytes: number | undefined;
}

export const KEEP_ALL: Retention = { seconds: undefined, bytes: undefined };

/** A hundred years, and more than a stream holds. */
const SECONDS_MAX = 3_153_600_000;
const BYTES_MAX = Number.MAX_SAFE_INTEGER;

const WHOLE_PATTERN = /^[1-9]\d{0,15}$/;

export type ParsedRetention =
  | { readonly ok: true; readonly retention: Retention }
  | { readonly ok: false; readonly detail: string };

/** Reads the two retention headers of a create. */
export function parseRetention(header: HeaderReader): ParsedRetention {
  const seconds = parseWhole(header(HEADER.retentionSeconds), SECONDS_MAX);
  const bytes = parseWhole(header(HEADER.retentionBytes), BYTES_MAX);
  if (seconds === "malformed") return malformed(HEADER.retentionSeconds, SECONDS_MAX);
  if (bytes === "malformed") return malformed(HEADER.retentionBytes, BYTES_MAX);
  return { ok: true, retention: { seconds, bytes } };
}

export function sameRetention(a: Retention, b: Retention): boolean {
  return a.seconds === b.seconds && a.bytes === b.bytes;
}

export function keepsAll({ seconds, bytes }: Retention): boolean {
  return seconds === undefined && bytes === undefined;
}

function parseWhole(text: string | null, max: number): number | undefined | "malformed" {
  if (text === null) return undefined;
  return WHOLE_PATTERN.test(text) && Number(text) <= max ? Number(text) : "malformed";
}

function malformed(name: string, max: number): ParsedRetention {
  return { ok: false, detail: `${name} must be a whole number from 1 to ${max}, without a sign or leading zeros.` };
}
