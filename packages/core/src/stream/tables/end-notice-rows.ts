/**
 * Table `end_notices`, in a stream's object: its followers have not been notified yet that it has ended. One row, the latest
 * end. Written in the transaction that ends the stream, deleted when the followers' object has answered. It outlives the
 * stream, whose own row would otherwise say that it is followed.
 */

import { firstRow, type Database } from "../../kit/database.ts";

const END_NOTICES_TABLE = `CREATE TABLE IF NOT EXISTS end_notices (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  incarnation INTEGER NOT NULL
)`;

/** In the place of an older one. @param incarnation the one that has ended. */
export function writeEndNotice(database: Database, incarnation: number): void {
  database.run(END_NOTICES_TABLE);
  database.run("INSERT OR REPLACE INTO end_notices (id, incarnation) VALUES (1, ?)", incarnation);
}

/** The incarnation whose end has not been notified; `undefined`: there is none. */
export function readEndNotice(database: Database): number | undefined {
  const table = firstRow(
    database,
    "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'end_notices'",
  );
  if (table === undefined) return undefined;
  return firstRow<{ incarnation: number }>(database, "SELECT incarnation FROM end_notices")?.incarnation;
}

/** Unless another incarnation has ended meanwhile. */
export function deleteEndNotice(database: Database, incarnation: number): void {
  database.run("DELETE FROM end_notices WHERE incarnation = ?", incarnation);
}
