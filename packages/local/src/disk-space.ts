/** Whether the data directory can take more, and a reserve in it that deletions can use when the disk is full. */

import { rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { StorageState } from "./storage-state.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** What is kept free for deletions and for what the server does by itself: a part of the file system, within bounds. */
const SPARE = { part: 0.02, min: MIB, max: 64 * MIB };
/** A file that takes space which another program would use up; it goes when nothing else is left. */
const RESERVE = { part: 0.01, min: 512 * KIB, max: 8 * MIB };
/** With less than this part of the reserve free, it goes. */
const CRITICAL_PART = 0.5;

/** Of the file system, in bytes and files. */
interface Space {
  readonly total: number;
  readonly free: number;
  /** Whether it can hold no more files. */
  readonly isOutOfFiles: boolean;
}

interface Ports {
  readonly space: () => Space;
  /** @throws Error of the file system. */
  readonly probe: () => Promise<void>;
}

export class DiskSpace {
  readonly #reservePath: string;
  readonly #ports: Ports;

  constructor(dataDir: string, ports: Partial<Ports> = {}) {
    this.#reservePath = join(dataDir, "reserve");
    this.#ports = { space: () => spaceOf(dataDir), probe: () => writeProbe(join(dataDir, "tmp")), ...ports };
  }

  /** Cheap enough to be asked every second. */
  async check(): Promise<StorageState> {
    try {
      const space = this.keepReserve();
      const spare = share(space.total, SPARE);
      if (space.isOutOfFiles) return full("it can hold no more files");
      if (space.free < spare) {
        return full(`${megabytes(space.free)} are free, and ${megabytes(spare)} are kept for deletions`);
      }
      await this.#ports.probe();
      return { fault: null, roomBytes: space.free - spare };
    } catch (error) {
      // Without its message, which has a path: clients see this.
      const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
      if (code === "ENOSPC" || code === "EDQUOT") return full(code);
      return { fault: { isFull: false, detail: `The data directory cannot be written: ${code}.` }, roomBytes: 0 };
    }
  }

  /** Gives the reserve to the server when nothing else is left, and takes it back when there is plenty again. */
  keepReserve(): Space {
    const space = this.#ports.space();
    const reserve = share(space.total, RESERVE);
    const hasReserve = statSync(this.#reservePath, { throwIfNoEntry: false }) !== undefined;
    if (hasReserve && (space.free < reserve * CRITICAL_PART || space.isOutOfFiles)) {
      rmSync(this.#reservePath, { force: true });
      return this.#ports.space();
    }
    if (!hasReserve && space.free > share(space.total, SPARE) + 2 * reserve) {
      // Real bytes: a file with a hole would take no space.
      writeFileSync(this.#reservePath, new Uint8Array(reserve));
      return this.#ports.space();
    }
    return space;
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
