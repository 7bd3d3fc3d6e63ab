import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { Failure } from "./failure.ts";

/** Identifies a process: as long as its number has the same command line, it is the same process. */
export interface ProcessRecord {
  readonly pid: number;
  readonly command: string;
}

const POLL_MS = 10;
const ORPHAN_LIMIT_MS = 3_000;

export function processRecordPath(dataDir: string): string {
  return join(dataDir, "workerd");
}

export interface WorkerdRecord extends ProcessRecord {
  /** The process that ends workerd when the launcher is gone. It outlives workerd, but not the launcher. */
  readonly watcherPid: number;
}

/** The workerd of a data directory, as `workerd-guard.sh` recorded it; its command line holds a random port. */
export function readProcessRecord(dataDir: string): WorkerdRecord | undefined {
  let text: string;
  try {
    text = readFileSync(processRecordPath(dataDir), "utf8");
  } catch {
    return undefined;
  }
  const [pid, command, watcherPid] = text.split("\n");
  // As a process number, 0 would mean the whole process group.
  if (!(Number(pid) > 0 && Number(watcherPid) > 0) || !command) return undefined;
  return { pid: Number(pid), command, watcherPid: Number(watcherPid) };
}

/** Whether the recorded process still runs, rather than another one that got the same number later. */
export function isRunning(record: ProcessRecord): boolean {
  return commandOf(record.pid) === record.command;
}

/**
 * Ends a workerd that has outlived its launcher, and removes the record. The guard prevents such a workerd unless the guard
 * itself was killed. The caller holds the directory's lock, so nobody needs that workerd any more.
 */
export async function endOrphan(dataDir: string): Promise<void> {
  const record = readProcessRecord(dataDir);
  if (record !== undefined && isRunning(record)) {
    process.kill(record.pid, "SIGKILL");
    if (!(await endsWithin(record, ORPHAN_LIMIT_MS))) {
      throw new Failure(
        `workerd from an earlier start (process ${record.pid}) is still using the data directory and cannot be stopped.`,
        `find out what it is waiting for (ps -o pid,stat,wchan -p ${record.pid}), or use another directory: --data-dir DIR`,
      );
    }
  }
  rmSync(processRecordPath(dataDir), { force: true });
}

/** Whether the process ended within the given time. */
export async function endsWithin(record: ProcessRecord, limitMs: number): Promise<boolean> {
  const end = performance.now() + limitMs;
  while (isRunning(record)) {
    if (performance.now() > end) return false;
    await delay(POLL_MS);
  }
  return true;
}

/** The command line of a process; empty if the process has ended, even if its parent has not collected it yet. */
export function commandOf(pid: number): string {
  try {
    if (process.platform === "linux") {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trimEnd();
    }
    return execFileSync("ps", ["-ww", "-o", "command=", "-p", String(pid)], { encoding: "utf8" }).trimEnd();
  } catch {
    return "";
  }
}
