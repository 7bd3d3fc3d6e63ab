/** Converts a request's body to the stored form of a stream's bytes, and the stored form back to a response's body. */

import { ARRAY_FACTOR, type Config } from "@durable-streams-cloudflare/core/config";
import {
  EMPTY_ARRAY,
  framingOf,
  refuse,
  toStoredMessages,
  type Framing,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import { readBody, refuseTooLarge, type BodyLimit } from "../limits/body.ts";
import type { Held } from "../limits/held-bytes.ts";
import type { HttpRequest } from "../ports.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** The limits of the body of an append or a creation. */
export type BodyLimits = Pick<Config, "appendBytesMax" | "jsonDepthMax" | "bodyTimeoutSeconds">;

const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const WHITE: ReadonlySet<number> = new Set([TAB, LINE_FEED, CARRIAGE_RETURN, SPACE]);

/** Reads the body that is to be stored, within its limit. An array of JSON messages may be larger than a single message. */
export async function readContent(
  request: HttpRequest,
  contentType: string | null,
  limits: BodyLimits,
  held?: Held,
): Promise<Result<{ bytes: Bytes }>> {
  const limit = bodyLimit(limits, held);
  if (contentType === null || framingOf(contentType) === "bytes") return readBody(request, limit);
  const read = await readBody(request, { ...limit, bytesMax: Math.floor(limit.bytesMax * ARRAY_FACTOR) });
  if (!read.ok) return read.problem.code === "body-too-large" ? refuseTooLarge(limit.bytesMax) : read;
  const isTooLarge = read.bytes.length > limit.bytesMax && !isArray(read.bytes);
  return isTooLarge ? refuseTooLarge(limit.bytesMax) : read;
}

function isArray(json: Bytes): boolean {
  return json.find((byte) => !WHITE.has(byte)) === OPEN_BRACKET;
}

function bodyLimit({ appendBytesMax, bodyTimeoutSeconds }: BodyLimits, held?: Held): BodyLimit {
  const limit = { bytesMax: appendBytesMax, secondsMax: bodyTimeoutSeconds };
  return held === undefined ? limit : { ...limit, held };
}

/** Validates a non-empty body and converts it to the stored form of its content type [PROTOCOL §9]. */
export function toStored(
  body: Bytes,
  contentType: string,
  { jsonDepthMax }: Pick<BodyLimits, "jsonDepthMax">,
): Result<{ bytes: Bytes }> {
  if (framingOf(contentType) === "bytes") return { ok: true, bytes: body };
  const parsed = toStoredMessages(body, jsonDepthMax);
  if (parsed.ok) return { ok: true, bytes: parsed.stored };
  const code = parsed.reason === "empty-array" ? "json-empty-array" : "json-invalid";
  return refuse(code, parsed.detail);
}

/** The body of a read without data: `[]` for JSON streams, otherwise none. */
export function emptyBody(framing: Framing): string | null {
  return framing === "json" ? EMPTY_ARRAY : null;
}

/**
 * Converts a part of a response from the stored form. JSON messages become one array, which the first part opens and the last
 * part closes.
 */
export function toBody(stored: Bytes, framing: Framing, isFirst: boolean, isLast: boolean): Bytes {
  if (framing === "bytes") return stored;
  if (!isFirst && !isLast) return stored;
  // The stored bytes are not ours alone.
  const body = new Uint8Array(stored.length + (isFirst ? 1 : 0));
  if (isFirst) body[0] = OPEN_BRACKET;
  body.set(stored, isFirst ? 1 : 0);
  if (isLast) body[body.length - 1] = CLOSE_BRACKET;
  return body;
}

/** How many bytes `toBody` makes of a range that is not empty: the last comma of messages gives its place to the bracket. */
export function bodyLength(storedBytes: number, framing: Framing): number {
  return framing === "bytes" ? storedBytes : storedBytes + 1;
}
