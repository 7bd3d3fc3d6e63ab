/** How much memory a process occupies, and how much it did at most while something went on. */
import { setInterval as intervals } from "node:timers/promises";

import { residentMb } from "./process-use.ts";

const SAMPLE_MS = 50;

export interface MemoryUse {
  readonly startMb: number;
  readonly peakMb: number;
  /** At times that are equally far apart. */
  readonly curveMb: readonly number[];
}

const CURVE_POINTS = 20;

/** Watches a process while the work is done. */
export async function watchMemory(pid: number, work: () => Promise<void>): Promise<MemoryUse> {
  const startMb = residentMb(pid);
  const samples: number[] = [];
  const end = new AbortController();
  const watching = (async () => {
    for await (const _ of intervals(SAMPLE_MS, undefined, { signal: end.signal })) {
      samples.push(residentMb(pid));
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
  samples.push(residentMb(pid));
  const every = Math.ceil(samples.length / CURVE_POINTS);
  const curveMb = samples.filter((_, index) => index % every === 0).map(Math.round);
  return { startMb, peakMb: samples.reduce((peak, mb) => Math.max(peak, mb), startMb), curveMb };
}
