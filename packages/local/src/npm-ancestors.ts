import { readFileSync } from "node:fs";
import { basename } from "node:path";

import { commandOf, isRunning, type ProcessRecord } from "./process-record.ts";

const POLL_MS = 500;
/** What starts the server of a clone, in a process of its own where the Node.js of the machine is too old. */
const STARTER = "run.mjs";

/**
 * The processes of `npm start` (npm, npx, pnpm, and the shells between them) that started this one. npm passes a signal only
 * to the shell that it started, which dies and leaves this process running. So this process watches them and stops with them.
 */
export function npmAncestors(): ProcessRecord[] {
  return upToOutermostPackageManager(ancestors());
}

/** Calls back once, as soon as one of the processes has ended. */
export function whenAnyEnds(processes: readonly ProcessRecord[], callback: () => void): void {
  if (processes.length === 0) return;
  const timer = setInterval(() => {
    if (processes.every(isRunning)) return;
    clearInterval(timer);
    callback();
  }, POLL_MS);
  timer.unref();
}

/** A shell above the outermost package manager is the user's own: it may end while the server keeps running. */
export function upToOutermostPackageManager(lineage: readonly ProcessRecord[]): ProcessRecord[] {
  const end = lineage.findIndex(({ command }) => !isPackageManager(command) && !isShell(command));
  const candidates = end === -1 ? lineage : lineage.slice(0, end);
  return candidates.slice(0, candidates.findLastIndex(({ command }) => isPackageManager(command)) + 1);
}

function isPackageManager(command: string): boolean {
  const [program = "", script = ""] = command.split(" ");
  const name = basename(program) === "node" ? basename(script) : basename(program);
  return /^(npm|npx|pnpm|yarn)(-cli)?(\.[cm]?js)?$/.test(name) || name === STARTER;
}

function isShell(command: string): boolean {
  return /^(ba|da|z|k|a)?sh$/.test(basename(command.split(" ", 1)[0] ?? ""));
}

/** Parent, grandparent and so on; empty where the system has no /proc. */
function ancestors(): ProcessRecord[] {
  const lineage: ProcessRecord[] = [];
  for (let pid = process.ppid; pid > 1; pid = parentOf(pid)) lineage.push({ pid, command: commandOf(pid) });
  return lineage;
}

function parentOf(pid: number): number {
  try {
    // "pid (name) state parent …": the name may hold spaces and parentheses.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return 0;
  }
}
