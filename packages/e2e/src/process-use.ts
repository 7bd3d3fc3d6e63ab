/** What a process uses of the machine. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const KIB_PER_MB = 1_000_000 / 1024;
/** Linux counts processor time in hundredths of a second, whatever the clock of the kernel. */
const TICKS_PER_SECOND = 100;

export function residentMb(pid: number): number {
  const kib =
    process.platform === "linux"
      ? /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
      : execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" });
  if (kib === undefined) throw new Error(`process ${pid} says nothing of its memory`);
  return Number(kib) / KIB_PER_MB;
}

/** How long a process has run on a processor, all threads together. Only on Linux. */
export function processorSeconds(pid: number): number {
  // The name of the program, which is before these fields, may have spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** How many files a process has open. Only on Linux. */
export function openFilesOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
