import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { segmentKey } from "@durable-streams-cloudflare/core/log/segment-rows";
import { afterEach, beforeEach, expect, it } from "vitest";

import { shardPath } from "../modes/layout.ts";
import { segmentPath } from "../segments/folder-segments.ts";
import { readSegmentRecord, writeSegmentRecord } from "../segments/s3/segment-record.ts";
import { SharedDatabase } from "../shared-database.ts";
import { snapshot } from "./snapshot.ts";

const SHARDS = 3;
/** Of each database: more than is copied at once. */
const ROWS = 3_000;

let dataDir: string;
let databases: SharedDatabase[];

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "snapshot-"));
  databases = Array.from({ length: SHARDS }, (_, shard) => {
    const place = { shard, shards: SHARDS };
    const database = new SharedDatabase({
      path: shardPath(dataDir, shard),
      isFull: false,
      place,
      sync: async () => undefined,
    });
    database.sqlite.exec("BEGIN");
    for (let row = 0; row < ROWS; row += 1) put(database, `key ${row}`);
    database.sqlite.exec("COMMIT");
    return database;
  });
});
afterEach(() => {
  for (const database of databases) database.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const put = (database: SharedDatabase, key: string) =>
  database.text("INSERT INTO registry (key, value) VALUES (?, ?)").run(key, "x".repeat(500));

function take(onProgress?: () => void, signal = new AbortController().signal): Promise<void> {
  const to = join(dataDir, "copy");
  mkdirSync(to);
  return snapshot({ dataDir, to, links: join(dataDir, "links"), signal, ...(onProgress && { onProgress }) });
}

function keysOf(shard: number): string[] {
  using copy = new DatabaseSync(shardPath(join(dataDir, "copy"), shard));
  expect(copy.prepare("PRAGMA integrity_check").get()).toMatchObject({ integrity_check: "ok" });
  return copy
    .prepare("SELECT key FROM registry")
    .all()
    .map((row) => String(row["key"]));
}

/** A stream whose bytes are in one cold segment. @returns the segment's path. */
function nameSegment(): string {
  const [database] = databases;
  const { sqlite } = database as SharedDatabase;
  sqlite.exec(`INSERT INTO objects (o, kind, name, tables) VALUES (1, 'stream', 'p/a', '[]');
    INSERT INTO stream_stream (o, id, schema_version, incarnation, content_type, touched_at_ms, checkpoint_position)
      VALUES (1, 1, 7, 5, 'text/plain', 0, 0);
    INSERT INTO stream_segments (o, first, last, committed_at_ms, blocks) VALUES (1, 0, 10, 0, x'00')`);
  return segmentPath(join(dataDir, "segments"), segmentKey("p/a", { incarnation: 5, first: 0, last: 10 }));
}

it("[DU5] a copy has every database as it was when it began, whatever is committed meanwhile", async () => {
  let commits = 0;
  await take(() => {
    for (const database of databases) put(database, `later ${(commits += 1)}`);
  });
  expect(commits).toBeGreaterThan(0);
  for (let shard = 0; shard < SHARDS; shard += 1) {
    const keys = keysOf(shard);
    expect([keys.length, keys.some((key) => key.startsWith("later"))]).toEqual([ROWS, false]);
  }
});

it("[DU5] a segment that is deleted while the copy is made is in it", async () => {
  const path = nameSegment();
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, "segment");
  await take(() => rmSync(path, { force: true }));
  expect(existsSync(path)).toBe(false);
  const key = segmentKey("p/a", { incarnation: 5, first: 0, last: 10 });
  expect(readFileSync(segmentPath(join(dataDir, "links"), key), "utf8")).toBe("segment");
});

it("[DU5] there is no copy without a segment that it names", async () => {
  nameSegment();
  await expect(take()).rejects.toThrow(/cold segment.*is missing/);
});

it("segments in a bucket stay there, and the copy knows where they are", async () => {
  nameSegment();
  const record = { store: "s3", id: "an-id", place: "https://s3.example/cold/", isUsed: true } as const;
  writeSegmentRecord(dataDir, record);
  await take();
  expect(readSegmentRecord(join(dataDir, "copy"))).toEqual(record);
});

it("a copy can be interrupted", async () => {
  const controller = new AbortController();
  const copying = take(() => controller.abort(), controller.signal);
  await expect(copying).rejects.toThrow(/abort/);
});
