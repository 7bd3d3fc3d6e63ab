/**
 * The tables of a project's object.
 *
 * Table `project`: one row. `record`: JSON of the project, as KV holds it, or `null` once it was
 * removed. `removed_at_ms`: when that was. `published`: 0 while KV may hold something older.
 */

import { firstRow, type Database } from "../../kit/database.ts";
import { integer, nullable, onlyRow, text } from "../../kit/sql/column.ts";
import { table } from "../../kit/sql/table.ts";

export const projectTable = table({
  kind: "project",
  name: "project",
  columns: { id: onlyRow(), record: nullable(text()), removed_at_ms: nullable(integer()), published: integer() },
  key: ["id"],
});

const READ = projectTable.select(["record", "removed_at_ms", "published"], { where: "id = 1" });
const REPLACE = projectTable.replace(["id", "record", "removed_at_ms", "published"]);
const MARK_PUBLISHED = projectTable.update("published = 1", "id = 1 AND record IS ?");

export interface ProjectRow {
  /** `null`: it was removed. */
  readonly record: string | null;
  readonly removedAtMs: number | null;
  readonly published: boolean;
}

export function readProjectRow(database: Database): ProjectRow | undefined {
  if (!database.tables.has(projectTable)) return undefined;
  const row = firstRow(database, READ);
  if (row === undefined) return undefined;
  return { record: row.record, removedAtMs: row.removed_at_ms, published: row.published === 1 };
}

/** Writes the row anew, not published yet. @param removedAtMs of a project that was removed. */
export function writeProjectRow(database: Database, record: string | null, removedAtMs: number | null): void {
  database.tables.create(projectTable);
  database.run(REPLACE, 1, record, removedAtMs, 0);
}

/** Marks the record as published, unless it has changed meanwhile. */
export function markPublished(database: Database, record: string | null): void {
  database.run(MARK_PUBLISHED, record);
}
