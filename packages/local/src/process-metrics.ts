import { readdirSync, readFileSync } from "node:fs";

import { metric } from "./prometheus.ts";

interface Process {
  readonly role: "launcher" | "workerd";
  readonly pid: number;
}

/** Ticks in a second, of the times that Linux tells of a process; the same on all of its platforms. */
const TICKS = 100;

/** What the system knows of processes; nothing where there is no /proc. */
export function processMetrics(processes: readonly Process[]): string {
  const each = (valueOf: (pid: number) => number | undefined): string[] =>
    processes.flatMap(({ role, pid }) => {
      const value = valueOf(pid);
      return value === undefined ? [] : [`{process="${role}"} ${value}`];
    });
  return [
    metric("durable_streams_process_resident_bytes", "gauge", "Memory that a process holds.", each(residentBytes)),
    metric("durable_streams_process_cpu_seconds_total", "counter", "Processor time of a process.", each(cpuSeconds)),
    metric("durable_streams_process_open_fds", "gauge", "Open files and sockets of a process.", each(openFiles)),
  ].join("");
}

function residentBytes(pid: number): number | undefined {
  return orNothing(() => {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  });
}

function cpuSeconds(pid: number): number | undefined {
  return orNothing(() => {
    // "pid (name) state parent …": the name may hold spaces and parentheses. The times are fields 14 and 15.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  });
}

function openFiles(pid: number): number | undefined {
  return orNothing(() => readdirSync(`/proc/${pid}/fd`).length);
}

/** A process may be gone at any time. */
function orNothing(read: () => number | undefined): number | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
