/**
 * Table `garbage`: pending deletions of objects in R2 that nothing refers to any more. A row is written in the transaction that
 * drops the last reference, and deleted once the objects are gone; it outlives the stream, as `debts` do. Key: an object's key,
 * or the prefix of all keys of an incarnation, which ends in `/`. Value: when to delete (ms), and how many more times to check:
 * an upload that was in progress when the object crashed may arrive after the first check.
 */

import type { Database } from "../../kit/database.ts";
import { integer, text } from "../../kit/sql/column.ts";
import { table } from "../../kit/sql/table.ts";

export const pendingDeletionsTable = table({
  kind: "stream",
  name: "garbage",
  columns: { prefix: text(), due_at_ms: integer(), looks: integer() },
  key: ["prefix"],
});

const REPLACE = pendingDeletionsTable.replace(["prefix", "due_at_ms", "looks"]);
const DELETE = pendingDeletionsTable.delete("prefix = ?");
const DUE_FIRST = pendingDeletionsTable.select(["prefix", "due_at_ms", "looks"], { orderBy: "due_at_ms", limit: "?" });

export interface PendingDeletion {
  readonly prefix: string;
  readonly dueAtMs: number;
  readonly looks: number;
}

export function insertPendingDeletion(database: Database, { prefix, dueAtMs, looks }: PendingDeletion): void {
  database.tables.create(pendingDeletionsTable);
  database.run(REPLACE, prefix, dueAtMs, looks);
}

export function deletePendingDeletion(database: Database, prefix: string): void {
  database.run(DELETE, prefix);
}

/** The deletions that are due first, at most `limit`. */
export function readPendingDeletions(database: Database, limit: number): PendingDeletion[] {
  if (!database.tables.has(pendingDeletionsTable)) return [];
  return database.all(DUE_FIRST, limit).map(({ prefix, due_at_ms: dueAtMs, looks }) => ({ prefix, dueAtMs, looks }));
}
