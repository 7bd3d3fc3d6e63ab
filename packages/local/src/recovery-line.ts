import { type Recovery, STREAMS_COUNTED_MAX } from "@durable-streams-cloudflare/node";

const PAGE_KIB = 4;

/** Names what a start has recovered, in one line; empty when the last server ended in order. */
export function formatRecovery(recovery: Recovery | undefined): string {
  if (recovery === undefined) return "";
  const { pages, uploads, streams } = recovery;
  const some = streams >= STREAMS_COUNTED_MAX ? `at least ${STREAMS_COUNTED_MAX} streams` : counted(streams, "stream");
  const parts = [
    `${counted(pages, "page")} of the write-ahead log (${pages * PAGE_KIB} KiB), ${some} in all`,
    ...(uploads === 0 ? [] : [`${counted(uploads, "unfinished upload")} removed`]),
  ];
  return `Recovered what the last server, which did not end in order, had acknowledged: ${parts.join("; ")}.\n`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
