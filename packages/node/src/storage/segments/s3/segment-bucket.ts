/**
 * The bond between a data directory and the place of its cold segments. The directory has a file with an id, and the bucket an
 * object with the same id. So a server is never started with another bucket or prefix than the one that has its segments, and
 * two directories never share a prefix, where each could delete what is the other's. The object also names the directory among
 * its own copies that may use the prefix.
 */

import { randomUUID } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";
import type { StorageFault } from "@durable-streams-cloudflare/http/limits/storage-status";

import { StorageError } from "../../storage-error.ts";
import { PARTS } from "../folder-segments.ts";
import { BucketMark, MARK, type Mark } from "./bucket-mark.ts";
import { identityOf } from "./directory-identity.ts";
import { ownedSegments } from "./owned-segments.ts";
import { S3Client, type S3Limits } from "./s3-client.ts";
import { S3Error } from "./s3-error.ts";
import type { S3Settings } from "./s3-options.ts";
import { s3Segments } from "./s3-segments.ts";
import { readSegmentRecord, writeSegmentRecord, type SegmentRecord } from "./segment-record.ts";

/** How long an answer of the bucket counts for probes. */
const PROBE_MS = 10_000;
/** While it is so, nothing is stored and nothing is deleted. */
const OTHER_DIRECTORY = "The S3 store of cold segments is not the one of this data directory.";
const OTHER_COPY = "The S3 store of cold segments belongs to another copy of this data directory.";
const PROBE: S3Limits = { tries: 1, timeoutMs: 3_000 };

export class SegmentBucket {
  readonly segments: SegmentStore;
  readonly #settings: S3Settings;
  readonly #mark: BucketMark;
  /** Tells this directory from its copies. */
  readonly #identity: string;
  readonly #dataDir: string;
  readonly #report: (message: string, error: unknown) => void;
  #record: SegmentRecord;
  #probed: { readonly atMs: number; readonly fault: Promise<StorageFault | undefined> } | undefined;

  /** @throws StorageError when the directory has its cold segments in its own folder. */
  constructor(settings: S3Settings, dataDir: string, report: (message: string, error: unknown) => void) {
    const root = join(dataDir, "segments");
    const known = readSegmentRecord(dataDir);
    if (known?.isUsed !== true && hasFiles(root)) throw refuseFolder(dataDir);
    this.#record = known ?? { store: "s3", id: randomUUID(), place: "", isUsed: false };
    this.#dataDir = dataDir;
    this.#report = report;
    this.#settings = settings;
    this.#identity = identityOf(dataDir);
    const client = new S3Client(settings);
    this.#mark = new BucketMark(client);
    this.segments = ownedSegments(s3Segments(client, root), () => this.#checkOwner());
  }

  /**
   * Checks that the bucket can be used and belongs to this directory. Where it did at the last start, a store that does not
   * answer now is no reason not to start: only cold reads fail.
   * @throws StorageError which says which setting is wrong.
   */
  async claim(): Promise<void> {
    const place = this.#place;
    try {
      if (!this.#record.isUsed) this.#save({ ...this.#record, place });
      await this.#claimMark();
      if (!this.#record.isUsed || this.#record.place !== place) this.#save({ ...this.#record, place, isUsed: true });
    } catch (error) {
      if (!(error instanceof S3Error)) throw error;
      const isKnown = this.#record.isUsed && this.#record.place === place;
      if (!isKnown || error.failure === "refused") {
        throw new StorageError(`${error.message} It is ${place}.`, { fix: error.fix, cause: error });
      }
      this.#report(`${error.message} Until it can be reached, reads of cold segments are answered with 503.`, error);
    }
  }

  /** Why cold segments can neither be read nor written now; the result of the last ten seconds. */
  fault(): Promise<StorageFault | undefined> {
    const nowMs = performance.now();
    if (this.#probed === undefined || nowMs - this.#probed.atMs > PROBE_MS) {
      this.#probed = { atMs: nowMs, fault: this.#probe() };
    }
    return this.#probed.fault;
  }

  async #probe(): Promise<StorageFault | undefined> {
    try {
      const detail = this.#whyForeign(await this.#mark.read(PROBE));
      return detail === undefined ? undefined : { isFull: false, detail };
    } catch (error) {
      return { isFull: false, detail: error instanceof S3Error ? error.message : "The S3 store failed." };
    }
  }

  async #claimMark(): Promise<void> {
    const { id, isUsed } = this.#record;
    const own: Mark = { id, owner: this.#identity };
    let found = await this.#mark.read();
    if (found === undefined && isUsed) throw refuseMissing(this.#place, this.#record.place);
    if (found === undefined) {
      await this.#mark.create(own);
      found = await this.#mark.read();
    }
    if (found?.id !== id) throw refuseShared(this.#place);
    if (found.owner === this.#identity) return;
    if (found.owner !== undefined && found.owner !== this.#settings.takeOverFrom) {
      throw refuseCopy(this.#place, found.owner);
    }
    await this.#mark.replace(own);
  }

  /** Of a server that started while the store was away, this is the first look at the mark. */
  async #checkOwner(): Promise<void> {
    const why = this.#whyForeign(await this.#mark.read());
    if (why === undefined) return;
    throw new S3Error(why, { failure: "refused", fix: "stop this server; when it starts again, it says what to do" });
  }

  /** A mark of an older server, which names no owner, is that of the next one that claims it. */
  #whyForeign(found: Mark | undefined): string | undefined {
    if (found?.id !== this.#record.id) return OTHER_DIRECTORY;
    return (found.owner ?? this.#identity) === this.#identity ? undefined : OTHER_COPY;
  }

  #save(record: SegmentRecord): void {
    writeSegmentRecord(this.#dataDir, record);
    this.#record = record;
  }

  get #place(): string {
    return this.#settings.bucketUrl + this.#settings.prefix;
  }
}

/**
 * For a server whose cold segments are in the folder of its data directory.
 * @throws StorageError when those of this directory are in a bucket.
 */
export function refuseBucketOf(dataDir: string): void {
  const record = readSegmentRecord(dataDir);
  if (record?.isUsed !== true) return;
  throw new StorageError(`The cold segments of ${dataDir} are in ${record.place}, but storage.segments is folder.`, {
    fix:
      "set storage.segments to s3, with the same bucket and prefix; or export the streams (durable-streams stream export) " +
      "and import them into a server with another data directory",
  });
}

/** Whether there is any segment. Empty folders stay behind when segments are deleted. */
function hasFiles(root: string): boolean {
  if (!existsSync(root)) return false;
  return readdirSync(root, { withFileTypes: true }).some((entry) =>
    entry.isDirectory() && entry.name !== PARTS ? hasFiles(join(root, entry.name)) : entry.isFile(),
  );
}

function refuseFolder(dataDir: string): StorageError {
  return new StorageError(`The cold segments of ${dataDir} are in its folder segments, but storage.segments is s3.`, {
    fix:
      "set storage.segments to folder; or export the streams (durable-streams stream export) and import them into a server " +
      "with another data directory",
  });
}

function refuseMissing(place: string, known: string): StorageError {
  return new StorageError(`The cold segments of this data directory are not in ${place}: it has no ${MARK}.`, {
    fix: `correct storage.s3_bucket, storage.s3_prefix and storage.s3_endpoint. The segments were in ${known}`,
  });
}

function refuseShared(place: string): StorageError {
  return new StorageError(`${place} has the cold segments of another data directory.`, {
    fix: "set storage.s3_prefix to one that no other server uses, or storage.s3_bucket to another bucket",
  });
}

function refuseCopy(place: string, owner: string): StorageError {
  return new StorageError(
    `${place} belongs to another copy of this data directory (${owner}), which needs what this one would delete.`,
    {
      fix:
        "for a trial, copy the objects to another bucket or prefix. To use them from now on, stop the server of the other " +
        `copy for good, set storage.s3_take_over_from = "${owner}" (DS_STORAGE__S3_TAKE_OVER_FROM), and start again`,
    },
  );
}
