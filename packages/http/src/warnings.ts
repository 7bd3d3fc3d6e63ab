/**
 * `Stream-Warning`: a write was done, and some readers will not see what was written. Whoever writes can still change that;
 * whoever reads would never know.
 */

import { HEADER, mediaType } from "@durable-streams-cloudflare/protocol";

const EVENT_STREAM_TYPE =
  "content-type-event-stream; the official client reads a stream of text/event-stream as empty, use text/plain";
const CARRIAGE_RETURN = "carriage-return; over SSE a CR or CRLF of text/plain arrives as LF, other reads are exact";

const CR = 0x0d;

/** Adds the warning, where there is one. @param contentType the stream's, or the request's, which is the same. */
export function warn(headers: Headers, contentType: string | null, bytes: Uint8Array): void {
  const warning = warningOf(contentType, bytes);
  if (warning !== undefined) headers.set(HEADER.warning, warning);
}

function warningOf(contentType: string | null, bytes: Uint8Array): string | undefined {
  // Most streams are neither, and are asked no more than this.
  if (contentType === null || !/^text\/(?:plain|event-stream)/i.test(contentType)) return undefined;
  const type = mediaType(contentType);
  if (type === "text/event-stream") return EVENT_STREAM_TYPE;
  return type === "text/plain" && bytes.includes(CR) ? CARRIAGE_RETURN : undefined;
}
