/**
 * The tables of a project's object.
 *
 * Table `project`: one row. `record`: JSON of the project, as KV holds it, or `null` once it was
 * removed. `removed_at_ms`: when that was. `published`: 0 while KV may hold something older.
 */

import { firstRow, type Database } from "../../kit/database.ts";

const PROJECT_TABLE = `CREATE TABLE IF NOT EXISTS project (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  record TEXT,
  removed_at_ms INTEGER,
  published INTEGER NOT NULL
)`;

export interface ProjectRow {
  /** `null`: it was removed. */
  readonly record: string | null;
  readonly removedAtMs: number | null;
  readonly published: boolean;
}

export function readProjectRow(database: Database): ProjectRow | undefined {
  const table = firstRow(database, "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'project'");
  if (table === undefined) return undefined;
  const row = firstRow<{ record: string | null; removed_at_ms: number | null; published: number }>(
    database,
    "SELECT record, removed_at_ms, published FROM project WHERE id = 1",
  );
  if (row === undefined) return undefined;
  return { record: row.record, removedAtMs: row.removed_at_ms, published: row.published === 1 };
}

/** Writes the row anew, not published yet. @param removedAtMs of a project that was removed. */
export function writeProjectRow(database: Database, record: string | null, removedAtMs: number | null): void {
  database.run(PROJECT_TABLE);
  database.run(
    "INSERT OR REPLACE INTO project (id, record, removed_at_ms, published) VALUES (1, ?, ?, 0)",
    record,
    removedAtMs,
  );
}

/** Published, unless the record has changed meanwhile. */
export function markPublished(database: Database, record: string | null): void {
  database.run("UPDATE project SET published = 1 WHERE id = 1 AND record IS ?", record);
}
