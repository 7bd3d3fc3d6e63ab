/** HEAD [PROTOCOL §5.5]: from result to answer. */

import type { HeadResult } from "@durable-streams-cloudflare/core/contracts/stream";
import { HEADER, lastSeqHeader, offsetAt, spelledForReaders } from "@durable-streams-cloudflare/protocol";

import type { Answer } from "../answers/answer.ts";
import { NO_STORE } from "../answers/cache-control.ts";

/** Encodes the result of a HEAD request. */
export function headAnswer(result: HeadResult): Answer {
  const headers: Answer["headers"] = {
    "Content-Type": spelledForReaders(result.contentType),
    "Cache-Control": NO_STORE,
    [HEADER.nextOffset]: offsetAt(result.lineage, result.tail),
    ...descriptionHeaders(result),
  };
  if (result.earliest > 0) headers[HEADER.earliestOffset] = offsetAt(result.lineage, result.earliest);
  if (result.closed) headers[HEADER.closed] = "true";
  return { status: 200, headers, body: null };
}

/** What HEAD says and other reads do not: of the stream, not of a range. */
export function descriptionHeaders(
  result: Pick<HeadResult, "lifetime" | "retention" | "recordsAuthors" | "streamSeq">,
): Answer["headers"] {
  const headers: Answer["headers"] = { ...lastSeqHeader(result.streamSeq) };
  if (result.lifetime.kind === "ttl") headers[HEADER.ttl] = String(result.lifetime.ttlSeconds);
  if (result.lifetime.kind === "at") headers[HEADER.expiresAt] = new Date(result.lifetime.expiresAtMs).toISOString();
  const { seconds, bytes } = result.retention;
  if (seconds !== undefined) headers[HEADER.retentionSeconds] = String(seconds);
  if (bytes !== undefined) headers[HEADER.retentionBytes] = String(bytes);
  if (result.recordsAuthors === true) headers[HEADER.recordAuthor] = "true";
  return headers;
}
