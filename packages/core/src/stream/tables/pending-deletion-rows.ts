/**
 * Table `garbage`: objects in R2 that nothing refers to any more. Written in the transaction that gives them up, and struck
 * out when they are deleted; it outlives the stream, as `debts` do.
 * Key: an object's key, or what the keys of a whole life begin with, ending in `/`. Value: when to delete (ms), and how
 * often to look again: an upload that was under way when the object died may arrive after a first look.
 */

import { firstRow, type Database } from "../../kit/database.ts";

const PENDING_DELETIONS_TABLE = `CREATE TABLE IF NOT EXISTS garbage (
  prefix TEXT PRIMARY KEY,
  due_at_ms INTEGER NOT NULL,
  looks INTEGER NOT NULL
) WITHOUT ROWID`;

export interface PendingDeletion {
  readonly prefix: string;
  readonly dueAtMs: number;
  readonly looks: number;
}

export function insertPendingDeletion(database: Database, { prefix, dueAtMs, looks }: PendingDeletion): void {
  database.run(PENDING_DELETIONS_TABLE);
  const sql = "INSERT OR REPLACE INTO garbage (prefix, due_at_ms, looks) VALUES (?, ?, ?)";
  database.run(sql, prefix, dueAtMs, looks);
}

export function deletePendingDeletion(database: Database, prefix: string): void {
  database.run("DELETE FROM garbage WHERE prefix = ?", prefix);
}

/** What is due first, at most `limit`. */
export function readPendingDeletions(database: Database, limit: number): PendingDeletion[] {
  const table = firstRow(database, "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'garbage'");
  if (table === undefined) return [];
  return database
    .all<{ prefix: string; due_at_ms: number; looks: number }>(
      "SELECT prefix, due_at_ms, looks FROM garbage ORDER BY due_at_ms LIMIT ?",
      limit,
    )
    .map(({ prefix, due_at_ms: dueAtMs, looks }) => ({ prefix, dueAtMs, looks }));
}
