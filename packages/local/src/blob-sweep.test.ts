import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { afterEach, beforeEach, expect, it } from "vitest";

import { sweepBlobs } from "./blob-sweep.ts";

let dataDir: string;
let blobs: string;
let database: string;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "blob-sweep-"));
  blobs = join(dataDir, "r2/bucket/blobs");
  database = join(dataDir, "r2/miniflare-R2BucketObject/0123.sqlite");
  mkdirSync(blobs, { recursive: true });
  mkdirSync(join(database, ".."), { recursive: true });
  for (const name of ["kept", "part", "orphan", ".cut-off.tmp"]) writeFileSync(join(blobs, name), "x");
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

function write(...statements: string[]): void {
  const opened = new DatabaseSync(database);
  for (const statement of statements) opened.exec(statement);
  opened.close();
}

const TABLES = ["CREATE TABLE _mf_objects (blob_id TEXT)", "CREATE TABLE _mf_multipart_parts (blob_id TEXT NOT NULL)"];

it("removes files that do not belong to a value", () => {
  write(
    ...TABLES,
    "INSERT INTO _mf_objects VALUES ('kept'), (NULL)",
    "INSERT INTO _mf_multipart_parts VALUES ('part')",
  );
  expect(sweepBlobs(dataDir)).toBe(2);
  expect(readdirSync(blobs).toSorted()).toEqual(["kept", "part"]);
  expect(sweepBlobs(dataDir)).toBe(0);
});

it.each<[string, () => void]>([
  ["there is no database", () => undefined],
  ["the database is damaged", () => writeFileSync(database, "x".repeat(8192))],
  ["the database has other tables", () => write("CREATE TABLE objects (blob TEXT)")],
])("removes nothing when %s", (_, prepare) => {
  prepare();
  expect(sweepBlobs(dataDir)).toBe(0);
  expect(readdirSync(blobs)).toHaveLength(4);
});

it("has nothing to do in a new directory", () => {
  rmSync(join(dataDir, "r2"), { recursive: true });
  expect(sweepBlobs(dataDir)).toBe(0);
});
