/**
 * Table `places`, in a project's object: how many live readers its streams were let have, one row for each stream, and until
 * when. What is over counts no more.
 */

import { firstRow, type Database } from "../../kit/database.ts";

const TABLE = `CREATE TABLE IF NOT EXISTS places (
  name TEXT PRIMARY KEY,
  places INTEGER NOT NULL,
  until_ms INTEGER NOT NULL
) WITHOUT ROWID`;

/** Of all streams but one. */
export function countOtherReaderSlots(database: Database, name: string, nowMs: number): number {
  database.run(TABLE);
  const sql = "SELECT SUM(places) AS places FROM places WHERE until_ms > ? AND name <> ?";
  return firstRow<{ places: number | null }>(database, sql, nowMs, name)?.places ?? 0;
}

/** One row, and one for each other that is over: what they held is free. In a transaction of its own. */
export function writeReaderSlots(
  database: Database,
  name: string,
  places: number,
  untilMs: number,
  nowMs: number,
): void {
  database.transaction(() => {
    database.run("DELETE FROM places WHERE until_ms <= ? AND name <> ?", nowMs, name);
    database.run("INSERT OR REPLACE INTO places (name, places, until_ms) VALUES (?, ?, ?)", name, places, untilMs);
  });
}
