import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { afterEach, beforeEach, expect, it } from "vitest";

import { removeEmptyObjects } from "./empty-objects.ts";

let dataDir: string;
let streams: string;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "durable-streams-empty-"));
  streams = join(dataDir, "do/durable-streams-StreamDO");
  mkdirSync(streams, { recursive: true });
});

afterEach(() => rmSync(dataDir, { recursive: true }));

/** Creates a database as workerd leaves it. */
function database(path: string, sql = ""): DatabaseSync {
  const made = new DatabaseSync(path);
  made.exec(`PRAGMA journal_mode = WAL; ${sql}`);
  return made;
}

it("the file of an object that stores nothing is removed, together with SQLite's files beside it", async () => {
  database(join(streams, "empty.sqlite")).close();
  database(join(streams, "dropped.sqlite"), "CREATE TABLE t (a); DROP TABLE t; VACUUM").close();
  for (const name of ["crashed.sqlite", "crashed.sqlite-wal"]) writeFileSync(join(streams, name), "");
  writeFileSync(join(streams, "crashed.sqlite-shm"), Buffer.alloc(32_768));
  expect(await removeEmptyObjects(dataDir)).toBe(3);
  expect(readdirSync(streams)).toEqual([]);
});

it("an object that stores anything is kept, even if only the write-ahead log has it", async () => {
  database(join(streams, "full.sqlite"), "CREATE TABLE t (a)").close();
  database(join(streams, "metadata.sqlite")).close();
  const open = database(join(streams, "logged.sqlite"), "PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (a)");
  const others = join(dataDir, "do/another-Kind");
  mkdirSync(others);
  database(join(others, "empty.sqlite")).close();
  const before = [readdirSync(streams).toSorted(), readdirSync(others)];
  expect(await removeEmptyObjects(dataDir)).toBe(0);
  expect([readdirSync(streams).toSorted(), readdirSync(others)]).toEqual(before);
  open.close();
});

it("truncated files, and files that cannot be examined, are kept", async () => {
  database(join(streams, "cut.sqlite"), "CREATE TABLE t (a)").close();
  truncateSync(join(streams, "cut.sqlite"), 4_096);
  database(join(streams, "unseen.sqlite")).close();
  // A link to itself, whose size the file system cannot report.
  symlinkSync("unseen.sqlite-wal", join(streams, "unseen.sqlite-wal"));
  const before = readdirSync(streams).toSorted();
  expect(await removeEmptyObjects(dataDir)).toBe(0);
  expect(readdirSync(streams).toSorted()).toEqual(before);
});

it("a new data directory has no empty objects", async () => {
  rmSync(join(dataDir, "do"), { recursive: true });
  expect(await removeEmptyObjects(dataDir)).toBe(0);
});
