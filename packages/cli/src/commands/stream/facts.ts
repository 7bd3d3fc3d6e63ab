import { HEADER, isClosedHeader } from "@durable-streams-cloudflare/protocol";

/** What the headers of an answer say about a stream. */
export function factsOf({ headers }: Response) {
  return {
    contentType: headers.get("Content-Type"),
    nextOffset: headers.get(HEADER.nextOffset),
    closed: isClosedHeader(headers.get(HEADER.closed)),
    ttlSeconds: numberOf(headers.get(HEADER.ttl)),
    expiresAt: headers.get(HEADER.expiresAt),
    earliestOffset: headers.get(HEADER.earliestOffset),
    retentionSeconds: numberOf(headers.get(HEADER.retentionSeconds)),
    retentionBytes: numberOf(headers.get(HEADER.retentionBytes)),
  };
}

function numberOf(header: string | null): number | null {
  return header === null ? null : Number(header);
}
