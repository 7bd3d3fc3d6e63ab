/** What a data directory records about the bucket that has its cold segments. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { writeDurably } from "../../folders.ts";
import { StorageError } from "../../storage-error.ts";

/** In the data directory. The commands that copy or check a directory read it, too. */
const SEGMENT_RECORD = "segment-store.json";

export interface SegmentRecord {
  readonly store: "s3";
  readonly id: string;
  /** For people: where the bucket was. */
  readonly place: string;
  /** `false` until the bucket has the id, too. */
  readonly isUsed: boolean;
}

/** @throws StorageError when it is damaged. */
export function readSegmentRecord(dataDir: string): SegmentRecord | undefined {
  const path = join(dataDir, SEGMENT_RECORD);
  if (!existsSync(path)) return undefined;
  const record = parse(readFileSync(path, "utf8"));
  if (typeof record?.id === "string" && typeof record.place === "string") return record as SegmentRecord;
  throw new StorageError(`${path} is damaged. It records where the cold segments are.`, {
    fix: "restore the file from a backup",
  });
}

export function writeSegmentRecord(dataDir: string, record: SegmentRecord): void {
  writeDurably(join(dataDir, SEGMENT_RECORD), `${JSON.stringify(record)}\n`);
}

function parse(text: string): Partial<SegmentRecord> | null | undefined {
  try {
    return JSON.parse(text) as Partial<SegmentRecord> | null;
  } catch {
    return undefined;
  }
}
