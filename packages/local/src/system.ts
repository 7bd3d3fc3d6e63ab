import { readFileSync } from "node:fs";
import { totalmem } from "node:os";

import { EXIT, Failure } from "./failure.ts";

/**
 * workerd is started by a shell script, and spoken to by a Unix socket.
 * @throws Failure where there is neither.
 */
export function checkSystem(platform: NodeJS.Platform = process.platform): void {
  if (platform !== "win32") return;
  throw new Failure(
    "On Windows the server runs in WSL only.",
    "install WSL, and run the same command there: https://learn.microsoft.com/windows/wsl/install",
    EXIT.usage,
  );
}

/** Below this a burst of streams, or a thousand readers, uses up what a process may open. */
const FILES_FEW = 8_192;
/** A stream in use: its file and two of its journal. */
const FILES_PER_STREAM = 3;

/** Of a stream in use, as measured: 200 KB. */
const MEMORY_PER_STREAM = 256 * 1024;
/** What the process opens whether or not there are streams. */
const FILES_OF_ITS_OWN = 128;
/** What is left is for connections, and for the parts of the system that are not streams. */
const PART_FOR_STREAMS = { files: 0.8, memory: 0.5 };
const STREAMS_MIN = 16;

/** How many streams, sessions and other objects may be in use at a time, so that workerd never runs out of files. */
export function openObjectsMax(filesMax: number | undefined = openFilesMax(), memoryBytes: number = memory()): number {
  const byFiles = ((filesMax ?? Infinity) - FILES_OF_ITS_OWN) * (PART_FOR_STREAMS.files / FILES_PER_STREAM);
  const byMemory = memoryBytes * (PART_FOR_STREAMS.memory / MEMORY_PER_STREAM);
  return Math.max(STREAMS_MIN, Math.floor(Math.min(byFiles, byMemory)));
}

/** Of the machine, or of the container. */
function memory(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(totalmem(), constrained) : totalmem();
}

/** How many files and connections workerd may have open, at the most; `undefined`: the system does not say. */
export function openFilesMax(read: () => string = readLimits): number | undefined {
  try {
    // "Max open files   SOFT   HARD   files": Node.js raises its own soft limit, and its children inherit that.
    const [, hard] = /^Max open files\s+\d+\s+(\d+)\s/m.exec(read()) ?? [];
    return hard === undefined ? undefined : Number(hard);
  } catch {
    return undefined; // Not on Linux.
  }
}

function readLimits(): string {
  return readFileSync("/proc/self/limits", "utf8");
}

/** Empty unless the machine lets this process open only few files. */
export function formatFewFilesWarning(max: number | undefined = openFilesMax()): string {
  if (max === undefined || max >= FILES_FEW) return "";
  return (
    `! This process may open ${max} files only: a stream in use takes ${FILES_PER_STREAM}, a connection one. ` +
    "What is too much gets 503.\n  Fix: raise the hard limit: ulimit -Hn, LimitNOFILE= (systemd), --ulimit nofile= (docker)\n"
  );
}
