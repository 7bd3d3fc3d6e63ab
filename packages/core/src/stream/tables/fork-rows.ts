/**
 * The two ends of a fork.
 *
 * Table `forks`, in the source: who reads its bytes. Key: fork id, minted by the fork. A set of ids rather than a number,
 * so that pinning and releasing may be repeated.
 *
 * Table `debts`, in the fork: pins that its source may hold and that are not wanted (any more). Key: fork id. Value: the
 * source's name, and when to release it (ms). A debt is written before the pin is asked for and struck out by the
 * transaction that creates the fork, so a crash at any point leaves a debt rather than a leak. Debts outlive the stream:
 * a fork that is gone still owes its source the release.
 */

import { firstRow, type Database } from "../../kit/database.ts";

export const FORKS_TABLE = `CREATE TABLE forks (id TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID`;

const PENDING_RELEASES_TABLE = `CREATE TABLE IF NOT EXISTS debts (
  id TEXT PRIMARY KEY,
  source TEXT NOT NULL,
  due_at_ms INTEGER NOT NULL
) WITHOUT ROWID`;

export interface PendingRelease {
  readonly id: string;
  readonly source: string;
  readonly dueAtMs: number;
}

export function insertFork(database: Database, id: string, name: string): void {
  database.run("INSERT OR REPLACE INTO forks (id, name) VALUES (?, ?)", id, name);
}

export function deleteFork(database: Database, id: string): void {
  database.run("DELETE FROM forks WHERE id = ?", id);
}

export function hasForks(database: Database): boolean {
  return firstRow(database, "SELECT 1 AS found FROM forks LIMIT 1") !== undefined;
}

export function insertPendingRelease(database: Database, release: PendingRelease): void {
  database.run(PENDING_RELEASES_TABLE);
  database.run(
    "INSERT OR REPLACE INTO debts (id, source, due_at_ms) VALUES (?, ?, ?)",
    release.id,
    release.source,
    release.dueAtMs,
  );
}

export function deletePendingRelease(database: Database, id: string): void {
  database.run("DELETE FROM debts WHERE id = ?", id);
}

/** Puts a debt off, or has it fall due. */
export function updatePendingRelease(database: Database, id: string, dueAtMs: number): void {
  database.run("UPDATE debts SET due_at_ms = ? WHERE id = ?", dueAtMs, id);
}

/** The debts that are due first, at most `limit`. */
export function readPendingReleases(database: Database, limit: number): PendingRelease[] {
  const table = firstRow(database, "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'debts'");
  if (table === undefined) return [];
  return database
    .all<{ id: string; source: string; due_at_ms: number }>(
      "SELECT id, source, due_at_ms FROM debts ORDER BY due_at_ms LIMIT ?",
      limit,
    )
    .map(({ id, source, due_at_ms: dueAtMs }) => ({ id, source, dueAtMs }));
}
