/**
 * A consistent copy of the data directory of a running server, made by another process. SQLite gives each reader the database
 * as it was when the reader began, whatever is committed meanwhile. A server with several databases is copied as it was at one
 * moment: no database may have changed while the readers began.
 *
 * The server never waits for a reader. Its write-ahead log begins anew only when no reader needs what is in it, so it grows
 * while the copy is made.
 */

import { copyFileSync, existsSync, linkSync, mkdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";

import { shardPath } from "../modes/layout.ts";
import { segmentPath } from "../segments/folder-segments.ts";
import { namedSegments } from "../segments/named-segments.ts";
import { readSegmentRecord, writeSegmentRecord } from "../segments/s3/segment-record.ts";
import { StorageError } from "../storage-error.ts";

export interface SnapshotOptions {
  /** The data directory, which a server may be using. */
  readonly dataDir: string;
  /** The folder for the databases. */
  readonly to: string;
  /** The folder for hard links to the cold segments, in the file system of the data directory. */
  readonly links: string;
  /** Called while the databases are copied, with a number of pages. */
  readonly onProgress?: (copied: number, of: number) => void;
  readonly signal: AbortSignal;
}

/** How often it is tried to find a moment between two commits. It takes well below a millisecond each time. */
const MOMENT_TRIES_MAX = 10_000;
/** How often it is tried to link all segments before the server deletes one. Links that were made stay. */
const LINK_TRIES_MAX = 100;
/** One megabyte; then the copy pauses for as long as that took, so that the disk is the server's half of the time. */
const PAGES_AT_ONCE = 256;
const PAUSE_MS_MAX = 100;

/**
 * Copies a data directory. Cold segments in a bucket stay there; the copy records where they are.
 * @throws StorageError if no consistent copy could be made.
 */
export async function snapshot({ dataDir, to, links, onProgress, signal }: SnapshotOptions): Promise<void> {
  const record = readSegmentRecord(dataDir);
  if (record !== undefined) writeSegmentRecord(to, record);
  const readers = linkSegments(dataDir, record?.isUsed === true ? undefined : links);
  try {
    for (const reader of readers) {
      const pause = new Pause();
      await backup(reader.sqlite, join(to, basename(reader.path)), {
        rate: PAGES_AT_ONCE,
        progress: ({ totalPages, remainingPages }) => {
          signal.throwIfAborted();
          onProgress?.(totalPages - remainingPages, totalPages);
          pause.take();
        },
      });
      signal.throwIfAborted();
    }
  } finally {
    for (const reader of readers) reader.close();
  }
}

/** A transaction that reads one database, which stays as it was when the transaction began. */
class Reader {
  readonly path: string;
  readonly sqlite: DatabaseSync;
  /** Sees what is committed, for comparison. */
  readonly #watcher: DatabaseSync;

  constructor(path: string) {
    this.path = path;
    // A connection that cannot write does not move the write-ahead log into the database when it is closed.
    this.sqlite = new DatabaseSync(path, { readOnly: true });
    this.#watcher = new DatabaseSync(path, { readOnly: true });
  }

  /** Changes with each commit. */
  get version(): number {
    return Number(this.#watcher.prepare("PRAGMA data_version").get()?.["data_version"]);
  }

  /** The transaction begins with the first statement that reads. */
  begin(): void {
    this.end();
    this.sqlite.exec("BEGIN; SELECT count(*) FROM sqlite_master");
  }

  end(): void {
    if (this.sqlite.isTransaction) this.sqlite.exec("ROLLBACK");
  }

  close(): void {
    this.sqlite.close();
    this.#watcher.close();
  }
}

/**
 * Begins to read all databases, and, where the segments are files, links every segment that they name. The server deletes a
 * segment only after the commit that no longer names it, so one that is missing was deleted since the readers began: they then
 * begin again.
 */
function linkSegments(dataDir: string, links: string | undefined): Reader[] {
  const readers: Reader[] = [];
  try {
    for (let shard = 0; existsSync(shardPath(dataDir, shard)); shard += 1) {
      readers.push(new Reader(shardPath(dataDir, shard)));
    }
    for (let tries = 0; tries < LINK_TRIES_MAX; tries += 1) {
      beginTogether(readers);
      if (links === undefined) return readers;
      if (readers.every(({ sqlite }) => linkNamed(sqlite, join(dataDir, "segments"), links))) return readers;
    }
  } catch (error) {
    for (const reader of readers) reader.close();
    throw error;
  }
  for (const reader of readers) reader.close();
  throw new StorageError("A cold segment that the database names is missing.", {
    fix: "run durable-streams verify on the stopped server, and restore an older backup if it finds damage",
  });
}

/** All readers begin between the same two commits. */
function beginTogether(readers: readonly Reader[]): void {
  for (let tries = 0; tries < MOMENT_TRIES_MAX; tries += 1) {
    const before = readers.map(({ version }) => version);
    for (const reader of readers) reader.begin();
    if (readers.length === 1 || readers.every(({ version }, index) => version === before[index])) return;
  }
  throw new StorageError("The server writes so much that no moment was found at which all of its databases rest.", {
    fix: "run the command again when less is written, or stop the server first",
  });
}

/** @returns whether all of them are linked. */
function linkNamed(sqlite: DatabaseSync, segments: string, links: string): boolean {
  for (const key of namedSegments(sqlite)) {
    const link = segmentPath(links, key);
    if (existsSync(link)) continue;
    mkdirSync(dirname(link), { recursive: true, mode: 0o700 });
    if (!linkOrCopy(segmentPath(segments, key), link)) return false;
  }
  return true;
}

/** @returns `false` if the file is missing. */
function linkOrCopy(from: string, to: string): boolean {
  for (const make of [linkSync, copyFileSync]) {
    try {
      make(from, to);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
      // Not every file system has hard links.
      if (make === copyFileSync) throw error;
    }
  }
  return false;
}

/** Waits for as long as the work since the last pause has taken. SQLite copies only when this thread returns. */
class Pause {
  readonly #cell = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  #endedAtMs = performance.now();

  take(): void {
    const tookMs = performance.now() - this.#endedAtMs;
    Atomics.wait(this.#cell, 0, 0, Math.min(tookMs, PAUSE_MS_MAX));
    this.#endedAtMs = performance.now();
  }
}
