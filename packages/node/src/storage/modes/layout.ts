/**
 * How the objects of a data directory are spread over databases: all in `streams.sqlite`, or, as the mode `acid` does it, also
 * in `streams-1.sqlite` and so on. An object is looked for in the database that its name is assigned to, so a directory keeps
 * the number of databases that it was created with.
 */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { StorageError } from "../storage-error.ts";
import { SHARDS_MAX, type StorageMode } from "./options.ts";

/** Of a new directory. More shards give smaller files, but each waits for the disk by itself. */
const SHARDS_DEFAULT = 4;

/** A database's number among the databases of its directory. It is recorded in each of them. */
export interface Place {
  readonly shard: number;
  readonly shards: number;
}

export const ONLY: Place = { shard: 0, shards: 1 };

/**
 * Finds out how many databases a data directory has, or is going to have.
 * @param wanted the number that the operator asks for.
 * @throws StorageError when it has another number than the mode allows, or one is missing.
 */
export function shardCountOf(dataDir: string, mode: StorageMode, wanted: number | undefined): number {
  const others = otherShardsIn(dataDir);
  const isServed = existsSync(shardPath(dataDir, 0));
  const last = Math.max(0, ...others);
  if (mode !== "acid") {
    if (last > 0) throw refuseMode(dataDir, mode, last + 1);
    return 1;
  }
  // The last one is created first, and the first one last.
  const shards = isServed || last > 0 ? last + 1 : (wanted ?? SHARDS_DEFAULT);
  if (wanted !== undefined && wanted !== shards) throw refuseCount(dataDir, wanted, shards);
  for (let shard = 1; isServed && shard < last; shard += 1) {
    if (!others.has(shard)) throw refuseMissing(shardPath(dataDir, shard));
  }
  return shards;
}

/**
 * The database that an object is assigned to, by FNV-1a of its kind and name. It must never change, because the object would
 * not be found any more.
 */
export function shardOf(kind: string, name: string, shards: number): number {
  if (shards === 1) return 0;
  let hash = 0x81_1c_9d_c5;
  for (const byte of new TextEncoder().encode(`${kind} ${name}`)) hash = Math.imul(hash ^ byte, 0x01_00_01_93) >>> 0;
  return hash % shards;
}

export function shardPath(dataDir: string, shard: number): string {
  return join(dataDir, shard === 0 ? "streams.sqlite" : `streams-${shard}.sqlite`);
}

function otherShardsIn(dataDir: string): ReadonlySet<number> {
  const shards = new Set<number>();
  for (const name of existsSync(dataDir) ? readdirSync(dataDir) : []) {
    const shard = Number(/^streams-([1-9]\d?)\.sqlite$/.exec(name)?.[1] ?? 0);
    if (shard > 0 && shard < SHARDS_MAX) shards.add(shard);
  }
  return shards;
}

/** What makes a directory with another number of databases. */
function reshardInto(dataDir: string, shards: number): string {
  return `or copy the data into ${shards === 1 ? "one" : shards}: durable-streams reshard ${shards} --data-dir '${dataDir}'`;
}

function refuseMode(dataDir: string, mode: StorageMode, shards: number): StorageError {
  return new StorageError(
    `The data in ${dataDir} is in ${shards} databases, as the storage mode acid keeps it, but the mode is ${mode}.`,
    { fix: `set the storage mode to acid (DS_STORAGE__MODE=acid), ${reshardInto(dataDir, 1)}` },
  );
}

function refuseCount(dataDir: string, wanted: number, shards: number): StorageError {
  return new StorageError(
    `The data in ${dataDir} is in ${shards === 1 ? "one database" : `${shards} databases`}, but acidShardCount is ${wanted}.`,
    { fix: `set acidShardCount to ${shards}, ${reshardInto(dataDir, wanted)}` },
  );
}

/**
 * The error if a database of the directory is missing.
 * @param path of the missing database.
 */
export function refuseMissing(path: string): StorageError {
  return new StorageError(`The database ${path} is missing. It holds a part of the streams.`, {
    fix: "put the file back, or restore a backup into another directory",
  });
}

/**
 * For a directory whose server was killed: the newest data is in the logs beside the databases, and without them it would be
 * lost without a word.
 * @throws StorageError when one is missing.
 */
export function refuseLostLogs(dataDir: string, shards: number): void {
  for (let shard = 0; shard < shards; shard += 1) {
    const path = shardPath(dataDir, shard);
    if (!existsSync(path)) throw refuseMissing(path);
    if (existsSync(`${path}-wal`)) continue;
    throw new StorageError(
      `${path}-wal is missing. It holds what was stored last, because the last server was killed.`,
      {
        fix:
          `put the file back, or restore a backup into another directory. To start without what is lost: ` +
          `rm '${shardPath(dataDir, 0)}-lock'`,
      },
    );
  }
}

/**
 * The error if a database is not the one that the layout expects.
 * @param found the place that the database records; `undefined` if it records none although it contains objects.
 */
export function refusePlace(path: string, wanted: Place, found: Place | undefined): StorageError {
  const is = found === undefined ? "the only one" : `number ${found.shard} of ${found.shards}`;
  return new StorageError(
    `The database ${path} should be number ${wanted.shard} of ${wanted.shards}, but it is ${is}.`,
    {
      fix: "put the files of this data directory back as they were, or restore a backup into another directory",
    },
  );
}
