/**
 * Tables `stored` and `stored_total`, in a project's object: how many bytes its streams have told that they store, or may
 * store without asking again. One row for each stream that has any, and one for their sum.
 */

import { firstRow, type Database } from "../../kit/database.ts";

const TABLES = [
  `CREATE TABLE IF NOT EXISTS stored (
    name TEXT PRIMARY KEY,
    bytes INTEGER NOT NULL
  ) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS stored_total (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    bytes INTEGER NOT NULL
  )`,
];

/** Of one stream. */
export function readStored(database: Database, name: string): number {
  if (!hasTables(database)) return 0;
  return firstRow<{ bytes: number }>(database, "SELECT bytes FROM stored WHERE name = ?", name)?.bytes ?? 0;
}

/** Of all. */
export function readStoredTotal(database: Database): number {
  if (!hasTables(database)) return 0;
  return firstRow<{ bytes: number }>(database, "SELECT bytes FROM stored_total WHERE id = 1")?.bytes ?? 0;
}

/** Two rows, if anything has changed; inside a transaction. */
export function writeStored(database: Database, name: string, bytes: number): void {
  const known = readStored(database, name);
  if (bytes === known) return;
  for (const table of TABLES) database.run(table);
  if (bytes === 0) database.run("DELETE FROM stored WHERE name = ?", name);
  else database.run("INSERT OR REPLACE INTO stored (name, bytes) VALUES (?, ?)", name, bytes);
  database.run(
    "INSERT INTO stored_total (id, bytes) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET bytes = bytes + ?1",
    bytes - known,
  );
}

function hasTables(database: Database): boolean {
  const table = "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'stored_total'";
  return firstRow(database, table) !== undefined;
}
