/** Opens the storage of a server as its options say. */

import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

import type { Schema } from "@durable-streams-cloudflare/core/kit/sql/schema";
import { Histogram } from "@durable-streams-cloudflare/http/metrics/histogram";

import type { DueObject } from "./alarms.ts";
import { DirectoryLock } from "./directory-lock.ts";
import { makeDirectory, syncDirectory } from "./folders.ts";
import { lastWrittenMs } from "./last-written.ts";
import { refuseLostLogs, refuseMissing, shardCountOf, shardPath } from "./modes/layout.ts";
import { MemoryLimit, usedBytes } from "./modes/memory-limit.ts";
import { checkedStorage, TRAITS, type StorageOptions, type StorageSettings } from "./modes/options.ts";
import { explainOpenError } from "./open-error.ts";
import { recoveryOf } from "./recovery.ts";
import { folderSegments, sweepParts } from "./segments/folder-segments.ts";
import { hardenedSegments } from "./segments/hardened-segments.ts";
import { MemorySegments } from "./segments/memory-segments.ts";
import { refuseBucketOf, SegmentBucket } from "./segments/s3/segment-bucket.ts";
import { OpenParts, Storage } from "./storage.ts";
import { Store } from "./store.ts";
import { CheckpointThread } from "./threads/checkpoint-thread.ts";
import { WalFile } from "./threads/wal-file.ts";

/** What the server tells the storage, and is told by it. */
export interface StorageEvents {
  /** Fires the alarm of an object. */
  readonly fire: (due: DueObject) => Promise<void>;
  /** The server cannot continue: a sync has failed, so it is unknown what is durable. */
  readonly onFatal: (error: unknown) => void;
  /** Is told of errors that nobody else hears of. */
  readonly report?: (message: string, error: unknown) => void;
  /** The tables of modules' objects. */
  readonly moduleSchemas?: readonly Schema[];
}

/** From a fast disk to one that is about to fail. */
const SYNC_BOUNDS_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

/**
 * Opens the storage.
 * @throws StorageError if the options are invalid, or the data directory does not match them. The directory is then unchanged.
 */
export function openStorage(options: StorageOptions, events: StorageEvents): Storage {
  const settings = checkedStorage(options);
  const parts = new OpenParts();
  try {
    const { dataDir } = settings;
    return dataDir === undefined ? openInMemory(parts, settings, events) : openOnDisk(parts, dataDir, settings, events);
  } catch (error) {
    parts.abandon();
    throw (settings.dataDir === undefined ? undefined : explainOpenError(settings.dataDir, error)) ?? error;
  }
}

function openInMemory(parts: OpenParts, { mode, memoryBytesMax }: StorageSettings, events: StorageEvents): Storage {
  const store = new Store({ mode, ...events });
  parts.stores.push(store);
  const segments = new MemorySegments();
  const memory = new MemoryLimit(memoryBytesMax, () => usedBytes(store.database) + segments.bytes);
  return new Storage(parts, segments, { memory });
}

function openOnDisk(
  parts: OpenParts,
  dataDir: string,
  { mode, shardCount, s3 }: StorageSettings,
  events: StorageEvents,
): Storage {
  makeDirectory(resolve(dataDir));
  const first = shardPath(dataDir, 0);
  const lock = (parts.lock = new DirectoryLock(`${first}-lock`));
  const shards = shardCountOf(dataDir, mode, shardCount);
  if (lock.wasKilled) refuseLostLogs(dataDir, shards);
  if (s3 === undefined) refuseBucketOf(dataDir);
  const bucket = s3 && new SegmentBucket(s3, dataDir, events.report ?? (() => undefined));
  // Until all databases are open, SQLite may remove the log of one that is closed again.
  lock.mark(false);
  const isNew = !existsSync(first);
  const writtenMs = lastWrittenMs(Array.from({ length: shards }, (_, shard) => shardPath(dataDir, shard)));
  const checkpoints = (parts.checkpoints = new CheckpointThread(events.onFatal));
  const syncs = TRAITS[mode].syncs === "thread" ? new Histogram(SYNC_BOUNDS_SECONDS) : undefined;
  // The first one last: where it is, all others are.
  for (let shard = shards - 1; shard >= 0; shard -= 1) {
    const isLost = shard === 0 && isNew && parts.stores.some(({ database }) => database.hasObjects);
    if (isLost) throw refuseMissing(first);
    const place = { shard, shards };
    parts.stores.push(new Store({ mode, path: shardPath(dataDir, shard), place, checkpoints, syncs, ...events }));
  }
  // Whoever made the directory may not have made its name durable.
  for (const path of [dataDir, dirname(resolve(dataDir))]) syncDirectory(path);
  const root = join(dataDir, "segments");
  const recovery = recoveryOf(parts.stores, sweepParts(root));
  const found = { recovery, bucket, lastWrittenMs: writtenMs };
  const segments = bucket?.segments ?? folderSegments(root);
  // Only a server that is killed leaves this behind: nothing can fail any more.
  const opened = (storage: Storage): Storage => {
    lock.mark(true);
    return storage;
  };
  if (TRAITS[mode].syncs !== "never") return opened(new Storage(parts, segments, { syncs, ...found }));
  const wal = (parts.wal = new WalFile(`${first}-wal`, events.onFatal));
  return opened(
    new Storage(
      parts,
      hardenedSegments(segments, () => wal.sync()),
      found,
    ),
  );
}
