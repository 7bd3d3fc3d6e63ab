/**
 * Copies a data directory of a stopped server into a new one with another number of databases. The old directory stays as it
 * is. Nothing of the new one has a name that a server looks for before the caller renames it.
 */

import { closeSync, copyFileSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { setImmediate } from "node:timers/promises";

import { DirectoryLock } from "../directory-lock.ts";
import { makeDirectory, syncDirectory } from "../folders.ts";
import { refuseLostLogs, shardCountOf, shardPath } from "../modes/layout.ts";
import { SHARDS_MAX } from "../modes/options.ts";
import { segmentPath } from "../segments/folder-segments.ts";
import { namedSegments } from "../segments/named-segments.ts";
import { readSegmentRecord, writeSegmentRecord } from "../segments/s3/segment-record.ts";
import { StorageError } from "../storage-error.ts";
import { countIn, NewShard } from "./copy-shard.ts";

export interface ReshardOptions {
  /** The data directory of a stopped server. */
  readonly from: string;
  /** The new directory, which must not have any data. */
  readonly to: string;
  /** How many databases the new directory gets. With 1, every storage mode can use it. */
  readonly shards: number;
  /** Called after each step. */
  readonly onProgress?: (done: number, of: number) => void;
  readonly signal: AbortSignal;
}

/** What was copied. */
export interface Resharded {
  /** How many databases the old directory has. */
  readonly before: number;
  readonly objects: number;
  readonly segments: number;
}

/**
 * Copies a data directory. Cold segments in files are linked, those in a bucket stay there.
 * @throws StorageError if a server uses the old directory, or it cannot be copied as a whole.
 */
export async function reshard(options: ReshardOptions): Promise<Resharded> {
  const [from, to] = [resolve(options.from), resolve(options.to)];
  checkCount(options.shards);
  const lock = new DirectoryLock(`${shardPath(from, 0)}-lock`);
  const targets: NewShard[] = [];
  try {
    const before = shardCountOf(from, "acid", undefined);
    if (lock.wasKilled) refuseLostLogs(from, before);
    makeDirectory(to);
    for (let shard = 0; shard < options.shards; shard += 1) {
      targets.push(new NewShard(to, { shard, shards: options.shards }));
    }
    const sources = Array.from({ length: before }, (_, shard) => shardPath(from, shard));
    await copyAll(sources, targets, options);
    const rows = compare(sources, targets);
    const segments = linkSegments(from, to, targets);
    for (const target of targets) target.check();
    for (const target of targets) target.close();
    for (const shard of targets.keys()) syncFile(shardPath(to, shard));
    syncDirectory(to);
    return { before, objects: rows.get("objects") ?? 0, segments };
  } finally {
    for (const target of targets) target.close();
    lock.close();
  }
}

function checkCount(shards: number): void {
  if (Number.isInteger(shards) && shards >= 1 && shards <= SHARDS_MAX) return;
  throw new StorageError(`The number of databases must be a whole number from 1 to ${SHARDS_MAX}.`, {
    fix: "use 1 for the storage modes file-fast and file-durable, and 4 unless you have measured for acid",
  });
}

async function copyAll(
  sources: readonly string[],
  targets: readonly NewShard[],
  { onProgress, signal }: ReshardOptions,
): Promise<void> {
  let done = 0;
  for (const source of sources) {
    for (const target of targets) {
      target.copyFrom(source);
      onProgress?.((done += 1), sources.length * targets.length);
      // So that the command can be interrupted.
      await setImmediate();
      signal.throwIfAborted();
    }
  }
}

/** @throws StorageError if a table has fewer or more rows than before. */
function compare(sources: readonly string[], targets: readonly NewShard[]): ReadonlyMap<string, number> {
  const before = sum(sources.map(countIn));
  const after = sum(targets.map((target) => target.count()));
  for (const [table, rows] of before) {
    if (after.get(table) === rows) continue;
    throw new StorageError(`The copy of the table ${table} has ${after.get(table)} rows instead of ${rows}.`, {
      fix: "check the old directory with durable-streams verify, and the disk",
    });
  }
  return before;
}

function sum(counts: readonly ReadonlyMap<string, number>[]): ReadonlyMap<string, number> {
  const all = new Map<string, number>();
  for (const count of counts) for (const [table, rows] of count) all.set(table, (all.get(table) ?? 0) + rows);
  return all;
}

/** @returns how many there are. @throws StorageError if one is missing. */
function linkSegments(from: string, to: string, targets: readonly NewShard[]): number {
  const record = readSegmentRecord(from);
  if (record !== undefined) writeSegmentRecord(to, record);
  if (record?.isUsed === true) return 0;
  const [old, own] = [join(from, "segments"), join(to, "segments")];
  const folders = new Set<string>();
  let count = 0;
  for (const { sqlite } of targets) {
    for (const key of namedSegments(sqlite)) {
      const [source, target] = [segmentPath(old, key), segmentPath(own, key)];
      if (!existsSync(source)) {
        throw new StorageError(`The cold segment ${key} is missing.`, {
          fix: "restore a backup of the data directory, and use that",
        });
      }
      const folder = dirname(target);
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      linkOrCopy(source, target);
      for (const each of [folder, dirname(folder), own]) folders.add(each);
      count += 1;
    }
  }
  for (const folder of folders) syncDirectory(folder);
  return count;
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    // Another file system, or one without hard links.
    copyFileSync(from, to);
    syncFile(to);
  }
}

function syncFile(path: string): void {
  const fd = openSync(path, "r+");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
