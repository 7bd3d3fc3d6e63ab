/**
 * Table `notices`, in a stream's object: what its project's directory has not been told yet. One row, the latest news:
 * the directory needs no other. Written in the transaction that creates or ends the stream, struck out when the
 * directory has answered. It outlives the stream, whose end is news, too.
 */

import type { StreamNotice } from "../../contracts/project.ts";
import { firstRow, type Database } from "../../kit/database.ts";

const NOTICES_TABLE = `CREATE TABLE IF NOT EXISTS notices (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  notice TEXT NOT NULL,
  due_at_ms INTEGER NOT NULL
)`;

export interface PendingNotice {
  readonly notice: StreamNotice;
  readonly dueAtMs: number;
}

/** In the place of an older one. */
export function writeNotice(database: Database, notice: StreamNotice, dueAtMs: number): void {
  database.run(NOTICES_TABLE);
  database.run(
    "INSERT OR REPLACE INTO notices (id, notice, due_at_ms) VALUES (1, ?, ?)",
    JSON.stringify(notice),
    dueAtMs,
  );
}

export function readNotice(database: Database): PendingNotice | undefined {
  const table = firstRow(database, "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'notices'");
  if (table === undefined) return undefined;
  const row = firstRow<{ notice: string; due_at_ms: number }>(database, "SELECT notice, due_at_ms FROM notices");
  return row === undefined ? undefined : { notice: JSON.parse(row.notice) as StreamNotice, dueAtMs: row.due_at_ms };
}

/** Unless there is newer news. */
export function deleteNotice(database: Database, notice: StreamNotice): void {
  database.run("DELETE FROM notices WHERE notice = ?", JSON.stringify(notice));
}
