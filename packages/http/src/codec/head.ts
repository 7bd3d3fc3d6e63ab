/** HEAD [PROTOCOL §5.5]. */

import type { HeadFacts } from "@durable-streams-cloudflare/core/contracts/stream";
import { HEADER, lastSeqHeader, offsetAt, spelledForReaders } from "@durable-streams-cloudflare/protocol";

import { NO_STORE } from "../cache-control.ts";

export function headResponse(facts: HeadFacts): Response {
  const headers = new Headers({
    "Content-Type": spelledForReaders(facts.contentType),
    "Cache-Control": NO_STORE,
    [HEADER.nextOffset]: offsetAt(facts.lineage, facts.tail),
  });
  if (facts.lifetime.kind === "ttl") headers.set(HEADER.ttl, String(facts.lifetime.ttlSeconds));
  if (facts.lifetime.kind === "at") headers.set(HEADER.expiresAt, new Date(facts.lifetime.expiresAtMs).toISOString());
  const { seconds, bytes } = facts.retention;
  if (seconds !== undefined) headers.set(HEADER.retentionSeconds, String(seconds));
  if (bytes !== undefined) headers.set(HEADER.retentionBytes, String(bytes));
  if (facts.recordsAuthors === true) headers.set(HEADER.recordAuthor, "true");
  if (facts.earliest > 0) headers.set(HEADER.earliestOffset, offsetAt(facts.lineage, facts.earliest));
  Object.entries(lastSeqHeader(facts.streamSeq)).forEach(([name, value]) => headers.set(name, value));
  if (facts.closed) headers.set(HEADER.closed, "true");
  return new Response(null, { headers });
}
