/**
 * Tables `places` and `public_places`, in a project's object: how many live readers its streams were let have, one row for each
 * stream, and until when. What is over counts no more.
 */

import type { ReaderBudget } from "../../contracts/reader-slots.ts";
import { firstRow, type Database } from "../../kit/database.ts";

const TABLES = { tokens: "places", public: "public_places" } as const;

/** Of all streams but one. */
export function countOtherReaderSlots(database: Database, budget: ReaderBudget, name: string, nowMs: number): number {
  const table = TABLES[budget];
  database.run(`CREATE TABLE IF NOT EXISTS ${table} (
    name TEXT PRIMARY KEY,
    places INTEGER NOT NULL,
    until_ms INTEGER NOT NULL
  ) WITHOUT ROWID`);
  const sql = `SELECT SUM(places) AS places FROM ${table} WHERE until_ms > ? AND name <> ?`;
  return firstRow<{ places: number | null }>(database, sql, nowMs, name)?.places ?? 0;
}

/** One row, and one for each other that is over: what they held is free. In a transaction of its own. */
export function writeReaderSlots(
  database: Database,
  budget: ReaderBudget,
  { name, readerSlots, untilMs }: { readonly name: string; readonly readerSlots: number; readonly untilMs: number },
  nowMs: number,
): void {
  const table = TABLES[budget];
  database.transaction(() => {
    database.run(`DELETE FROM ${table} WHERE until_ms <= ? AND name <> ?`, nowMs, name);
    database.run(
      `INSERT OR REPLACE INTO ${table} (name, places, until_ms) VALUES (?, ?, ?)`,
      name,
      readerSlots,
      untilMs,
    );
  });
}
