import { readdirSync, readFileSync } from "node:fs";

import type { Metric, NumberPoint } from "@durable-streams-cloudflare/http/metrics/metric";

interface Process {
  readonly role: "launcher" | "workerd" | "server";
  readonly pid: number;
}

/** Clock ticks per second in the process times that Linux reports; the same on all of its platforms. */
const TICKS = 100;

/** Metrics of processes, as the system reports them; without values where there is no /proc. */
export function processMetrics(processes: readonly Process[]): readonly Metric[] {
  const each = (valueOf: (pid: number) => number | undefined): readonly NumberPoint[] =>
    processes.flatMap(({ role, pid }) => {
      const value = valueOf(pid);
      return value === undefined ? [] : [{ labels: { process: role }, value }];
    });
  return [
    {
      type: "gauge",
      name: "durable_streams_process_resident_bytes",
      help: "Resident memory of the process in bytes.",
      points: each(residentBytes),
    },
    {
      type: "counter",
      name: "durable_streams_process_cpu_seconds_total",
      help: "Processor time used by the process in seconds.",
      points: each(cpuSeconds),
    },
    {
      type: "gauge",
      name: "durable_streams_process_open_fds",
      help: "Number of open files and sockets of the process.",
      points: each(openFiles),
    },
  ];
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

/** A process may end at any time, which makes its files in /proc disappear. */
function orNothing(read: () => number | undefined): number | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
