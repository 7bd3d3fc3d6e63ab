/**
 * The tables of a project's object.
 *
 * Table `project`: one row. `record`: JSON of the project, as KV holds it, or `null` while its streams are being
 * removed. `published`: 0 while KV may hold something older.
 */

import { firstRow, type Database } from "./database.ts";

const PROJECT_TABLE = `CREATE TABLE IF NOT EXISTS project (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  record TEXT,
  published INTEGER NOT NULL
)`;

export interface ProjectRow {
  /** `null`: it was removed, and its streams are still being removed. */
  readonly record: string | null;
  readonly published: boolean;
}

export function readProjectRow(database: Database): ProjectRow | undefined {
  const table = firstRow(database, "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'project'");
  if (table === undefined) return undefined;
  const row = firstRow<{ record: string | null; published: number }>(
    database,
    "SELECT record, published FROM project WHERE id = 1",
  );
  return row === undefined ? undefined : { record: row.record, published: row.published === 1 };
}

/** Writes the row anew, not published yet. */
export function writeProjectRow(database: Database, record: string | null): void {
  database.run(PROJECT_TABLE);
  database.run("INSERT OR REPLACE INTO project (id, record, published) VALUES (1, ?, 0)", record);
}

/** Published, unless the record has changed meanwhile. */
export function markPublished(database: Database, record: string | null): void {
  database.run("UPDATE project SET published = 1 WHERE id = 1 AND record IS ?", record);
}
