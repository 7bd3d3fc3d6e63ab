/** HEAD [PROTOCOL §5.5]. */

import type { HeadResult } from "@durable-streams-cloudflare/core/contracts/stream";
import { HEADER, lastSeqHeader, offsetAt, spelledForReaders } from "@durable-streams-cloudflare/protocol";

import { NO_STORE } from "../cache-control.ts";

export function headResponse(result: HeadResult): Response {
  const headers = new Headers({
    "Content-Type": spelledForReaders(result.contentType),
    "Cache-Control": NO_STORE,
    [HEADER.nextOffset]: offsetAt(result.lineage, result.tail),
  });
  if (result.lifetime.kind === "ttl") headers.set(HEADER.ttl, String(result.lifetime.ttlSeconds));
  if (result.lifetime.kind === "at") headers.set(HEADER.expiresAt, new Date(result.lifetime.expiresAtMs).toISOString());
  const { seconds, bytes } = result.retention;
  if (seconds !== undefined) headers.set(HEADER.retentionSeconds, String(seconds));
  if (bytes !== undefined) headers.set(HEADER.retentionBytes, String(bytes));
  if (result.recordsAuthors === true) headers.set(HEADER.recordAuthor, "true");
  if (result.earliest > 0) headers.set(HEADER.earliestOffset, offsetAt(result.lineage, result.earliest));
  Object.entries(lastSeqHeader(result.streamSeq)).forEach(([name, value]) => headers.set(name, value));
  if (result.closed) headers.set(HEADER.closed, "true");
  return new Response(null, { headers });
}
