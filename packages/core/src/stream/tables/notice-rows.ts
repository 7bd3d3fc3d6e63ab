/**
 * Table `notices`, in a stream's object: the latest change that the project's directory has not been notified of yet. One row:
 * the directory does not need earlier changes. It is written in the transaction that creates or ends the stream, and deleted
 * when the directory has answered. It outlives the stream, whose end is reported, too.
 */

import type { StreamNotice } from "../../contracts/project.ts";
import { firstRow, type Database } from "../../kit/database.ts";
import { integer, onlyRow, text } from "../../kit/sql/column.ts";
import { table } from "../../kit/sql/table.ts";

export const noticesTable = table({
  kind: "stream",
  name: "notices",
  columns: { id: onlyRow(), notice: text(), due_at_ms: integer() },
  key: ["id"],
});

const REPLACE = noticesTable.replace(["id", "notice", "due_at_ms"]);
const READ = noticesTable.select(["notice", "due_at_ms"]);
const DELETE = noticesTable.delete("notice = ?");

export interface PendingNotice {
  readonly notice: StreamNotice;
  readonly dueAtMs: number;
}

/** Replaces an older notice. */
export function writeNotice(database: Database, notice: StreamNotice, dueAtMs: number): void {
  database.tables.create(noticesTable);
  database.run(REPLACE, 1, JSON.stringify(notice), dueAtMs);
}

export function readNotice(database: Database): PendingNotice | undefined {
  if (!database.tables.has(noticesTable)) return undefined;
  const row = firstRow(database, READ);
  return row === undefined ? undefined : { notice: JSON.parse(row.notice) as StreamNotice, dueAtMs: row.due_at_ms };
}

/** Deletes the notice, unless there is a newer one. */
export function deleteNotice(database: Database, notice: StreamNotice): void {
  database.run(DELETE, JSON.stringify(notice));
}
