/**
 * Table `end_notices`, in a stream's object: the stream has ended, and its followers have not been notified yet. One row, for
 * the latest end. It is written in the transaction that ends the stream, and deleted when the followers' object has answered.
 * It outlives the stream, whose own row, which says that the stream is followed, is gone.
 */

import { firstRow, type Database } from "../../kit/database.ts";
import { integer, onlyRow } from "../../kit/sql/column.ts";
import { table } from "../../kit/sql/table.ts";

export const endNoticesTable = table({
  kind: "stream",
  name: "end_notices",
  columns: { id: onlyRow(), incarnation: integer() },
  key: ["id"],
});

const REPLACE = endNoticesTable.replace(["id", "incarnation"]);
const READ = endNoticesTable.select(["incarnation"]);
const DELETE = endNoticesTable.delete("incarnation = ?");

/** Replaces an older notice. @param incarnation the one that has ended. */
export function writeEndNotice(database: Database, incarnation: number): void {
  database.tables.create(endNoticesTable);
  database.run(REPLACE, 1, incarnation);
}

/** The incarnation whose end has not been notified; `undefined`: there is none. */
export function readEndNotice(database: Database): number | undefined {
  if (!database.tables.has(endNoticesTable)) return undefined;
  return firstRow(database, READ)?.incarnation;
}

/** Deletes the notice, unless another incarnation has ended meanwhile. */
export function deleteEndNotice(database: Database, incarnation: number): void {
  database.run(DELETE, incarnation);
}
