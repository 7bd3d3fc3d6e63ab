import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { SCHEMAS } from "@durable-streams-cloudflare/core/data-version";
import { afterEach, beforeEach, expect, it } from "vitest";

import { SharedDatabase } from "./shared-database.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "shared-database-"));
  path = join(directory, "streams.sqlite");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (): SharedDatabase => new SharedDatabase({ path, isFull: false, sync: async () => undefined });

/** Runs a statement while no server has the database open. */
function edit(text: string): unknown[] {
  const sqlite = new DatabaseSync(path);
  const rows = sqlite.prepare(text).all();
  sqlite.close();
  return rows.map((row) => ({ ...row }));
}

it("[DU6] the database of an older server gets what later versions brought, and records its versions", () => {
  open().close();
  edit("ALTER TABLE stream_stream DROP COLUMN records_authors");
  edit("UPDATE schema_versions SET version = 6 WHERE kind = 'stream'");
  open().close();
  const columns = edit("SELECT name FROM pragma_table_info('stream_stream')");
  expect(columns).toContainEqual({ name: "records_authors" });
  const versions = SCHEMAS.map(({ kind, version }) => ({ kind, version }));
  expect(edit("SELECT kind, version FROM schema_versions")).toEqual(expect.arrayContaining(versions));
});

it("[DU6] the database of a newer server is refused, and left alone", () => {
  open().close();
  edit("UPDATE schema_versions SET version = 99 WHERE kind = 'project'");
  expect(open).toThrow("schema version 99");
  expect(edit("SELECT version FROM schema_versions WHERE kind = 'project'")).toEqual([{ version: 99 }]);
});
