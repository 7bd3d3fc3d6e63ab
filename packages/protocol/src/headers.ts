/** Names of the protocol's headers [PROTOCOL §13.2], spelled once. */
export const HEADER = {
  ttl: "Stream-TTL",
  expiresAt: "Stream-Expires-At",
  seq: "Stream-Seq",
  closed: "Stream-Closed",
  nextOffset: "Stream-Next-Offset",
  cursor: "Stream-Cursor",
  upToDate: "Stream-Up-To-Date",
  sseDataEncoding: "Stream-SSE-Data-Encoding",
  producerId: "Producer-Id",
  producerEpoch: "Producer-Epoch",
  producerSeq: "Producer-Seq",
  producerExpectedSeq: "Producer-Expected-Seq",
  producerReceivedSeq: "Producer-Received-Seq",
  forkedFrom: "Stream-Forked-From",
  forkOffset: "Stream-Fork-Offset",
  forkSubOffset: "Stream-Fork-Sub-Offset",
  // Extensions of this server.
  expectedOffset: "Stream-Expected-Offset",
  retentionSeconds: "Stream-Retention-Seconds",
  retentionBytes: "Stream-Retention-Bytes",
  earliestOffset: "Stream-Earliest-Offset",
  recordAuthor: "Stream-Record-Author",
  warning: "Stream-Warning",
} as const;

/** A header value, `null` when absent: the shape of `Headers.get`, without needing the type. */
export type HeaderReader = (name: string) => string | null;

/** `Stream-Closed` counts only as `true`, in any case; every other value is as if absent [PROTOCOL §4.1]. */
export function isClosedHeader(value: string | null): boolean {
  return value !== null && value.toLowerCase() === "true";
}
