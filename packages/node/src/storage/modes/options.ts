/** The storage modes, and the options of the storage. `docs/storage-modes.md` says what each mode promises. */

import type { StorageStatus } from "@durable-streams-cloudflare/http/limits/storage-status";

import { checkedS3, type S3Options, type S3Settings } from "../segments/s3/s3-options.ts";
import { StorageError } from "../storage-error.ts";

export const STORAGE_MODES = ["memory", "file-fast", "file-durable", "acid"] as const;

/**
 * What an acknowledgement promises. `memory`: nothing outlives the process. `file-fast`: it survives the end of the process,
 * but not always a power cut. `file-durable`: it survives a power cut. `acid`: the same, in several databases, each of which
 * waits for the disk in every COMMIT.
 */
export type StorageMode = (typeof STORAGE_MODES)[number];

/** The options of `createServer` about its storage. */
export interface StorageOptions {
  /** By default `file-durable`. */
  readonly mode?: StorageMode | undefined;
  /** The directory of the modes that store on disk. It is created if it is missing, so that only its owner can enter it. */
  readonly dataDir?: string | undefined;
  /** With mode `acid`: the number of databases, from 1 to 64. By default 4, or the number that the data directory has. */
  readonly acidShardCount?: number | undefined;
  /** With mode `memory`: the most bytes that all streams together may store. By default 1 GiB. */
  readonly maxMemoryBytes?: number | undefined;
  /**
   * The bucket that cold segments are moved to. By default they are in a folder of the data directory. With it, `createHandler`
   * is refused: use `createHandlerWithReady`, which has the time to check the bucket.
   */
  readonly s3?: S3Options | undefined;
  /** Reports whether the disk can store more. Without it the server finds out when a write fails. */
  readonly status?: StorageStatus | undefined;
}

/** How a mode keeps what it stores. */
export interface ModeTraits {
  readonly isOnDisk: boolean;
  /** `commit`: COMMIT waits for the disk. `thread`: a thread syncs the log afterwards. `never`: nobody waits for the disk. */
  readonly syncs: "commit" | "thread" | "never";
}

export const TRAITS: Readonly<Record<StorageMode, ModeTraits>> = {
  memory: { isOnDisk: false, syncs: "never" },
  "file-fast": { isOnDisk: true, syncs: "never" },
  "file-durable": { isOnDisk: true, syncs: "thread" },
  acid: { isOnDisk: true, syncs: "commit" },
};

export const SHARDS_MAX = 64;
const MEMORY_BYTES_DEFAULT = 1024 ** 3;
/** Less would not hold the tables. */
const MEMORY_BYTES_MIN = 1024 ** 2;

/** Options that were checked. */
export interface StorageSettings {
  readonly mode: StorageMode;
  /** The data directory; set in the modes that store on disk. */
  readonly dataDir: string | undefined;
  /** The number of databases; `undefined`: as many as the directory has. */
  readonly shardCount: number | undefined;
  readonly memoryBytesMax: number;
  /** The bucket of cold segments, if they are in one. */
  readonly s3: S3Settings | undefined;
}

/**
 * Checks the options, and fills in the defaults.
 * @throws StorageError if an option is invalid, or does not belong to the mode.
 */
export function checkedStorage(options: StorageOptions): StorageSettings {
  const { mode = "file-durable", dataDir, acidShardCount, maxMemoryBytes, s3 } = options;
  if (!STORAGE_MODES.includes(mode)) {
    throw new StorageError(
      `The storage mode must be one of ${STORAGE_MODES.join(", ")}, but it is "${String(mode)}".`,
      {
        fix: "use file-durable, which loses nothing that was acknowledged",
      },
    );
  }
  const { isOnDisk } = TRAITS[mode];
  if (isOnDisk && (dataDir === undefined || dataDir === "")) {
    throw new StorageError(`The storage mode ${mode} needs a data directory.`, {
      fix: 'set storage.dataDir, or use the mode "memory", which stores nothing on disk',
    });
  }
  if (!isOnDisk && s3 !== undefined) {
    throw new StorageError(`The storage mode ${mode} keeps everything in memory, so it has no use for a bucket.`, {
      fix: "leave out s3 (storage.segments), or use a storage mode that stores on disk",
    });
  }
  checkOption("acidShardCount", acidShardCount, { mode: "acid", min: 1, max: SHARDS_MAX }, mode);
  checkOption("maxMemoryBytes", maxMemoryBytes, { mode: "memory", min: MEMORY_BYTES_MIN, max: 2 ** 50 }, mode);
  return {
    mode,
    dataDir: isOnDisk ? dataDir : undefined,
    shardCount: acidShardCount,
    memoryBytesMax: maxMemoryBytes ?? MEMORY_BYTES_DEFAULT,
    s3: s3 && checkedS3(s3),
  };
}

function checkOption(
  name: string,
  value: number | undefined,
  bounds: { readonly mode: StorageMode; readonly min: number; readonly max: number },
  mode: StorageMode,
): void {
  if (value === undefined) return;
  if (mode !== bounds.mode) {
    throw new StorageError(`The option ${name} belongs to the storage mode ${bounds.mode}, but the mode is ${mode}.`, {
      fix: `leave out ${name}, or use the mode ${bounds.mode}`,
    });
  }
  if (Number.isInteger(value) && value >= bounds.min && value <= bounds.max) return;
  throw new StorageError(
    `The option ${name} must be a whole number from ${bounds.min} to ${bounds.max}, but it is ${String(value)}.`,
    { fix: `leave out ${name} to use its default` },
  );
}
