import { readFileSync } from "node:fs";
import { totalmem } from "node:os";

import type { Engine } from "./engine.ts";
import { EXIT, Failure } from "./failure.ts";

/**
 * workerd is started by a shell script and controlled through a Unix socket.
 * @throws Failure on systems that have neither.
 */
export function checkSystem(platform: NodeJS.Platform = process.platform): void {
  if (platform !== "win32") return;
  throw new Failure(
    "On Windows, the engine workerd runs only in WSL.",
    "use the engine node, which is the default; or install WSL: https://learn.microsoft.com/windows/wsl/install",
    EXIT.usage,
  );
}

/** With fewer files than this, a burst of streams or a thousand readers reaches the limit of a process. */
const FILES_FEW = 8_192;
/** A stream in use has its database and two files of its journal open. */
const FILES_PER_STREAM = 3;

/** Memory of a stream in use; about 200 KB were measured. */
const MEMORY_PER_STREAM = 256 * 1024;
/** Files that the process opens in any case. */
const FILES_OF_ITS_OWN = 128;
/** Which part of the limits is for streams. The rest is for connections and for everything that is not a stream. */
const PART_FOR_STREAMS = { files: 0.8, memory: 0.5 };
const STREAMS_MIN = 16;

/** How many streams, sessions and other objects may be in use at the same time, so that workerd never runs out of files. */
export function openObjectsMax(filesMax: number | undefined = openFilesMax(), memoryBytes: number = memory()): number {
  const byFiles = ((filesMax ?? Infinity) - FILES_OF_ITS_OWN) * (PART_FOR_STREAMS.files / FILES_PER_STREAM);
  const byMemory = memoryBytes * (PART_FOR_STREAMS.memory / MEMORY_PER_STREAM);
  return Math.max(STREAMS_MIN, Math.floor(Math.min(byFiles, byMemory)));
}

/** The memory of the machine or of the container. */
function memory(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(totalmem(), constrained) : totalmem();
}

/** The maximum number of open files and connections of workerd; `undefined` if the system does not report it. */
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

/** What needs files on each engine, and what becomes of requests beyond the limit. */
const FILES_NEEDED: Readonly<Record<Engine, string>> = {
  workerd: `a stream in use needs ${FILES_PER_STREAM}, a connection 1. Requests beyond that get status 503.`,
  node: "a connection needs 1, and so does each read of a cold segment. Connections beyond that get status 503.",
};

/** Empty unless this process may open only few files. */
export function formatFewFilesWarning(engine: Engine, max: number | undefined = openFilesMax()): string {
  if (max === undefined || max >= FILES_FEW) return "";
  return (
    `! This process may open only ${max} files: ${FILES_NEEDED[engine]}\n` +
    "  Fix: raise the hard limit: ulimit -Hn, LimitNOFILE= (systemd), --ulimit nofile= (docker)\n"
  );
}
