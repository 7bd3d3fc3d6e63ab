import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { explainOpenError, makeDirectory } from "@durable-streams-cloudflare/node";

import { Failure } from "./failure.ts";

/** The process that holds a data directory, for the error message of a second server. */
export interface Holder {
  readonly pid: number;
  readonly url?: string;
}

export interface DataDirLock {
  /** Records the URL of this server. */
  announce(url: string): void;
  release(): void;
}

const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;

/**
 * Locks a data directory for this process: two servers on one directory would overwrite each other's acknowledged data.
 * The lock is SQLite's exclusive lock on an empty database, which the kernel releases however the process ends. A file
 * with a process number would become stale, and the number would be reused.
 * @throws Failure when another process holds the lock, or the directory is not writable.
 */
export function lockDataDir(dataDir: string): DataDirLock {
  const holderPath = join(dataDir, "server.json");
  const writeHolder = (holder: Holder): void => writeFileSync(holderPath, `${JSON.stringify(holder)}\n`);
  const database = openExclusively(dataDir, holderPath, () => writeHolder({ pid: process.pid }));
  return {
    announce: (url) => writeHolder({ pid: process.pid, url }),
    release: () => {
      if (!database.isOpen) return;
      rmSync(holderPath, { force: true });
      database.close();
    },
  };
}

function openExclusively(dataDir: string, holderPath: string, onLocked: () => void): DatabaseSync {
  const path = join(dataDir, "lock");
  try {
    makeDirectory(dataDir);
    const database = new DatabaseSync(path, { timeout: 0 });
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    onLocked();
    return database;
  } catch (error) {
    const code = error instanceof Error && "errcode" in error ? error.errcode : undefined;
    if (code === SQLITE_BUSY) throw heldBy(dataDir, readHolder(holderPath));
    if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB) {
      throw new Failure(`${path} is damaged. It holds no data.`, `remove it and start again: rm '${path}'`);
    }
    if (code === SQLITE_FULL || isOutOfSpace(error)) {
      throw new Failure(`The disk of ${dataDir} is full.`, "free some space, or use another directory: --data-dir DIR");
    }
    const explained = explainOpenError(dataDir, error);
    if (explained !== undefined) throw new Failure(explained.message, explained.fix);
    const reason = error instanceof Error ? error.message : String(error);
    throw new Failure(
      `The data directory ${dataDir} cannot be used: ${reason}`,
      "use another directory: --data-dir DIR",
    );
  }
}

function isOutOfSpace(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}

function heldBy(dataDir: string, holder: Holder | undefined): Failure {
  const process = holder === undefined ? "" : ` (process ${holder.pid}${holder.url ? `, ${holder.url}` : ""})`;
  return new Failure(
    `Another server is using the data directory ${dataDir}${process}.`,
    `stop that server${holder === undefined ? "" : ` (kill ${holder.pid})`}, or use another directory: --data-dir DIR`,
  );
}

function readHolder(path: string): Holder | undefined {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof parsed !== "object" || parsed === null || !("pid" in parsed)) return undefined;
    if (typeof parsed.pid !== "number") return undefined;
    return "url" in parsed && typeof parsed.url === "string"
      ? { pid: parsed.pid, url: parsed.url }
      : { pid: parsed.pid };
  } catch {
    return undefined; // The holder has just taken the lock and not written this file yet.
  }
}
