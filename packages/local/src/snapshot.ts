/** A copy of the data directory of a running server on the engine node, for a backup. */

import { copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";

import { snapshot, StorageError } from "@durable-streams-cloudflare/node/data";

import { Failure } from "./failure.ts";
import { lockDataDir, type DataDirLock } from "./lock.ts";

/** A copy that is kept until `release`. */
export interface DataSnapshot {
  /** The folders that together have the contents of a data directory. */
  readonly folders: readonly string[];
  readonly release: () => void;
}

export interface DataSnapshotOptions {
  /** A folder that does not exist yet, for a copy of the databases. */
  readonly to: string;
  /** Called while the databases are copied, with a number of pages. */
  readonly onProgress: (copied: number, of: number) => void;
  readonly signal: AbortSignal;
}

/** Where a directory records which versions its data has. */
const VERSIONS = "version.json";

/**
 * Copies the databases of a data directory as they are at one moment, and links its cold segments, while a server goes on.
 * @throws Failure if no consistent copy could be made, or another one is being made.
 */
export async function snapshotDataDir(dataDir: string, { to, ...how }: DataSnapshotOptions): Promise<DataSnapshot> {
  const path = resolve(dataDir);
  if (!existsSync(join(path, "streams.sqlite"))) {
    throw new Failure(`A server on the engine "workerd" is using ${path}.`, "stop that server first");
  }
  const links = join(path, "tmp", "backup");
  const lock = lockForBackup(path, links);
  const release = (): void => {
    rmSync(to, { recursive: true, force: true });
    lock.release();
    rmSync(links, { recursive: true, force: true });
  };
  try {
    // A backup that was killed may have left some.
    rmSync(join(links, "segments"), { recursive: true, force: true });
    mkdirSync(to, { mode: 0o700 });
    await snapshot({ dataDir: path, to, links: join(links, "segments"), ...how });
    // Last: a newer server writes it before it changes the tables.
    if (existsSync(join(path, VERSIONS))) copyFileSync(join(path, VERSIONS), join(to, VERSIONS));
    return { folders: [to, links], release };
  } catch (error) {
    release();
    throw error instanceof StorageError ? new Failure(error.message, error.fix) : error;
  }
}

function lockForBackup(dataDir: string, links: string): DataDirLock {
  try {
    return lockDataDir(links);
  } catch (error) {
    if (!(error instanceof Failure) || !error.message.startsWith("Another server")) throw error;
    throw new Failure(`Another backup of ${dataDir} is being made.`, "wait until that has ended");
  }
}
