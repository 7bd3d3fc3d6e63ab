/** How much memory a process occupies, and how much it did at most while something went on. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setInterval as intervals } from "node:timers/promises";

const SAMPLE_MS = 50;
const KIB_PER_MB = 1_000_000 / 1024;

export interface MemoryUse {
  readonly startMb: number;
  readonly peakMb: number;
}

/** Watches a process while the work is done. */
export async function watchMemory(pid: number, work: () => Promise<void>): Promise<MemoryUse> {
  const startMb = residentMb(pid);
  let peakMb = startMb;
  const end = new AbortController();
  const watching = (async () => {
    for await (const _ of intervals(SAMPLE_MS, undefined, { signal: end.signal })) {
      peakMb = Math.max(peakMb, residentMb(pid));
    }
  })().catch((error: unknown) => {
    if (!end.signal.aborted) throw error;
  });
  try {
    await work();
  } finally {
    end.abort();
    await watching;
  }
  return { startMb, peakMb: Math.max(peakMb, residentMb(pid)) };
}

function residentMb(pid: number): number {
  const kib =
    process.platform === "linux"
      ? /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
      : execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" });
  if (kib === undefined) throw new Error(`process ${pid} says nothing of its memory`);
  return Number(kib) / KIB_PER_MB;
}
