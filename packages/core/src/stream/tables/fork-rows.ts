/**
 * The two ends of a fork.
 *
 * Table `forks`, in the source, created by its first fork: which forks read its bytes. Key: fork id, minted by the fork. It is
 * a set of ids rather than a count, so that pinning and releasing are idempotent.
 *
 * Table `debts`, in the fork: pending releases, of pins that its source may hold without need. Key: fork id. Value: the
 * source's name, and when to release (ms). A pending release is written before the pin is requested and deleted by the
 * transaction that creates the fork, so a crash at any point leaves a pending release rather than a leak. The rows outlive the
 * stream: a fork that is gone still has to release its source's pin.
 */

import { firstRow, type Database } from "../../kit/database.ts";
import { integer, text } from "../../kit/sql/column.ts";
import { table } from "../../kit/sql/table.ts";

export const forksTable = table({ kind: "stream", name: "forks", columns: { id: text(), name: text() }, key: ["id"] });

export const pendingReleasesTable = table({
  kind: "stream",
  name: "debts",
  columns: { id: text(), source: text(), due_at_ms: integer() },
  key: ["id"],
});

const REPLACE_FORK = forksTable.replace(["id", "name"]);
const DELETE_FORK = forksTable.delete("id = ?");
const HAS_FORKS = forksTable.exists();

const REPLACE_RELEASE = pendingReleasesTable.replace(["id", "source", "due_at_ms"]);
const DELETE_RELEASE = pendingReleasesTable.delete("id = ?");
const UPDATE_RELEASE = pendingReleasesTable.update("due_at_ms = ?", "id = ?");
const DUE_FIRST = pendingReleasesTable.select(["id", "source", "due_at_ms"], { orderBy: "due_at_ms", limit: "?" });

export interface PendingRelease {
  readonly id: string;
  readonly source: string;
  readonly dueAtMs: number;
}

export function insertFork(database: Database, id: string, name: string): void {
  if (!database.tables.has(forksTable)) database.tables.create(forksTable);
  database.run(REPLACE_FORK, id, name);
}

export function deleteFork(database: Database, id: string): void {
  if (database.tables.has(forksTable)) database.run(DELETE_FORK, id);
}

export function hasForks(database: Database): boolean {
  return database.tables.has(forksTable) && firstRow(database, HAS_FORKS) !== undefined;
}

export function insertPendingRelease(database: Database, release: PendingRelease): void {
  database.tables.create(pendingReleasesTable);
  database.run(REPLACE_RELEASE, release.id, release.source, release.dueAtMs);
}

export function deletePendingRelease(database: Database, id: string): void {
  database.run(DELETE_RELEASE, id);
}

/** Postpones a pending release, or makes it due. */
export function updatePendingRelease(database: Database, id: string, dueAtMs: number): void {
  database.run(UPDATE_RELEASE, dueAtMs, id);
}

/** The pending releases that are due first, at most `limit`. */
export function readPendingReleases(database: Database, limit: number): PendingRelease[] {
  if (!database.tables.has(pendingReleasesTable)) return [];
  return database.all(DUE_FIRST, limit).map(({ id, source, due_at_ms: dueAtMs }) => ({ id, source, dueAtMs }));
}
