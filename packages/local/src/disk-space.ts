/** Whether the data directory can store more, and a reserve in it for deletions on a full disk. */

import { existsSync, rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { StorageState } from "./storage-state.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Space kept free for deletions and for the server's own work: a part of the file system, within bounds. */
const SPARE = { part: 0.02, min: MIB, max: 64 * MIB };
/** A file that holds space which other programs would use up otherwise. It is removed when no other space is left. */
const RESERVE = { part: 0.01, min: 512 * KIB, max: 8 * MIB };
/** The reserve is removed when less free space is left than this part of its size. */
const CRITICAL_PART = 0.5;

/** The space of the file system. */
interface Space {
  readonly total: number;
  readonly free: number;
  /** Whether the file system cannot hold any more files. */
  readonly isOutOfFiles: boolean;
}

interface Ports {
  readonly space: () => Space;
  /** @throws Error of the file system. */
  readonly probe: () => Promise<void>;
}

/** The disk of one data directory. */
export class DiskSpace {
  readonly #reservePath: string;
  readonly #ports: Ports;

  constructor(dataDir: string, ports: Partial<Ports> = {}) {
    this.#reservePath = join(dataDir, "reserve");
    this.#ports = { space: () => spaceOf(dataDir), probe: () => writeProbe(join(dataDir, "tmp")), ...ports };
  }

  /** Returns the state of the disk. Cheap enough to be called every second. */
  async check(): Promise<StorageState> {
    try {
      const space = this.keepReserve();
      const spare = share(space.total, SPARE);
      if (space.isOutOfFiles) return full("its file system cannot hold any more files");
      if (space.free < spare) {
        return full(`${megabytes(space.free)} are free, of which ${megabytes(spare)} are kept for deletions`);
      }
      await this.#ports.probe();
      return { fault: null, roomBytes: space.free - spare };
    } catch (error) {
      // Only the code of the error: clients see this text, and the message contains a path.
      const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
      if (code === "ENOSPC" || code === "EDQUOT") return full(code);
      return { fault: { isFull: false, detail: `The data directory is not writable: ${code}.` }, roomBytes: 0 };
    }
  }

  /** Removes the reserve when no other space is left, and creates it again when there is enough. */
  keepReserve(): Space {
    const space = this.#ports.space();
    const reserve = share(space.total, RESERVE);
    const hasReserve = statSync(this.#reservePath, { throwIfNoEntry: false }) !== undefined;
    if (hasReserve && (space.free < reserve * CRITICAL_PART || space.isOutOfFiles)) {
      rmSync(this.#reservePath, { force: true });
      return this.#ports.space();
    }
    if (!hasReserve && space.free > share(space.total, SPARE) + 2 * reserve) {
      // Real bytes: a sparse file would take no space.
      writeFileSync(this.#reservePath, new Uint8Array(reserve));
      return this.#ports.space();
    }
    return space;
  }
}

/** On a full disk, not even the lock could be written without the space of the reserve. */
export function freeReserve(dataDir: string): void {
  if (!existsSync(dataDir)) return;
  try {
    new DiskSpace(dataDir).keepReserve();
  } catch {
    // If the directory cannot be used at all, `lockDataDir` says so.
  }
}

function share(total: number, { part, min, max }: typeof SPARE): number {
  return Math.floor(Math.min(Math.max(total * part, min), max));
}

function spaceOf(dataDir: string): Space {
  const { bavail, bsize, blocks, ffree, files } = statfsSync(dataDir);
  return { total: blocks * bsize, free: bavail * bsize, isOutOfFiles: files > 0 && ffree === 0 };
}

async function writeProbe(directory: string): Promise<void> {
  const path = join(directory, "write-check");
  await writeFile(path, "x");
  await rm(path, { force: true });
}

function full(reason: string): StorageState {
  return { fault: { isFull: true, detail: `The disk of the data directory is full: ${reason}.` }, roomBytes: 0 };
}

function megabytes(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
