import { type Recovery, STREAMS_COUNTED_MAX } from "@durable-streams-cloudflare/node";

const PAGE_KIB = 4;

/** Names what a start has recovered, in one line; empty if the last server was stopped cleanly. */
export function formatRecovery(recovery: Recovery | undefined): string {
  if (recovery === undefined) return "";
  const { pages, uploads, streams } = recovery;
  const some = streams >= STREAMS_COUNTED_MAX ? `at least ${STREAMS_COUNTED_MAX} streams` : counted(streams, "stream");
  const parts = [
    `${counted(pages, "page")} of the write-ahead log (${pages * PAGE_KIB} KiB), ${some} in all`,
    ...(uploads === 0 ? [] : [`${counted(uploads, "unfinished upload")} removed`]),
  ];
  return `The last server was not stopped cleanly. Recovered what its disk had: ${parts.join("; ")}.\n`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
