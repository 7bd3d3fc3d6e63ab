/**
 * `Stream-Warning`: tells a writer that the write succeeded, but that some readers will not see it. The writer can still change
 * that; a reader would never know.
 */

import { HEADER, mediaType } from "@durable-streams-cloudflare/protocol";

import type { Answer } from "./answer.ts";

const CARRIAGE_RETURN =
  "carriage-return; over SSE, CR and CRLF in text/plain arrive as LF; other reads return the exact bytes";

const CR = 0x0d;

/**
 * Adds `Stream-Warning` to the headers if there is something to warn of.
 * @param contentType of the request, which is also the stream's.
 */
export function warn(headers: Answer["headers"], contentType: string | null, bytes: Uint8Array): void {
  // Most streams are of another type, and are asked no more than this.
  if (contentType === null || !/^text\/plain/i.test(contentType)) return;
  if (mediaType(contentType) === "text/plain" && bytes.includes(CR)) headers[HEADER.warning] = CARRIAGE_RETURN;
}
