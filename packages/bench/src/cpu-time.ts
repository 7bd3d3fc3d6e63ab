/** The processor time and the memory of processes, from Linux. */
import { readdirSync, readFileSync } from "node:fs";

const NS_PER_MS = 1_000_000;
const PAGE_BYTES = 4_096;

/** User and system time of all threads since their start, in ms; `undefined` where the system does not tell. */
export function cpuMsOf(pids: readonly number[]): number | undefined {
  if (pids.length === 0) return undefined;
  try {
    return pids.reduce((sum, pid) => sum + cpuNsOf(pid), 0) / NS_PER_MS;
  } catch {
    return undefined;
  }
}

/** The resident memory of processes together, in bytes; `undefined` where the system does not tell. */
export function residentBytesOf(pids: readonly number[]): number | undefined {
  if (pids.length === 0) return undefined;
  try {
    return pids.reduce((sum, pid) => {
      const [, pages] = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ");
      return sum + Number(pages) * PAGE_BYTES;
    }, 0);
  } catch {
    return undefined;
  }
}

function cpuNsOf(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).reduce((sum, task) => {
    const [ns] = readFileSync(`${tasks}/${task}/schedstat`, "utf8").split(" ");
    return sum + Number(ns);
  }, 0);
}
