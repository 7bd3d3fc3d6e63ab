/**
 * Tables `stored` and `stored_total`, in a project's object: how many bytes its streams have reported as stored, or may store
 * without asking again. One row for each stream that has any, and one for their sum.
 */

import { firstRow, type Database } from "../../kit/database.ts";
import { integer, onlyRow, text } from "../../kit/sql/column.ts";
import { table } from "../../kit/sql/table.ts";

export const storedTable = table({
  kind: "project",
  name: "stored",
  columns: { name: text(), bytes: integer() },
  key: ["name"],
});

export const storedTotalTable = table({
  kind: "project",
  name: "stored_total",
  columns: { id: onlyRow(), bytes: integer() },
  key: ["id"],
});

const READ = storedTable.select(["bytes"], { where: "name = ?" });
const REPLACE = storedTable.replace(["name", "bytes"]);
const DELETE = storedTable.delete("name = ?");

const READ_TOTAL = storedTotalTable.select(["bytes"], { where: "id = 1" });
const ADD_TO_TOTAL = storedTotalTable.upsert(["id", "bytes"], "bytes = bytes + excluded.bytes");

/** The bytes of one stream. */
export function readStored(database: Database, name: string): number {
  if (!hasTables(database)) return 0;
  return firstRow(database, READ, name)?.bytes ?? 0;
}

/** Of all. */
export function readStoredTotal(database: Database): number {
  if (!hasTables(database)) return 0;
  return firstRow(database, READ_TOTAL)?.bytes ?? 0;
}

/** Two rows, if anything has changed; inside a transaction. */
export function writeStored(database: Database, name: string, bytes: number): void {
  const known = readStored(database, name);
  if (bytes === known) return;
  database.tables.create(storedTable, storedTotalTable);
  if (bytes === 0) database.run(DELETE, name);
  else database.run(REPLACE, name, bytes);
  database.run(ADD_TO_TOTAL, 1, bytes - known);
}

function hasTables({ tables }: Database): boolean {
  return tables.has(storedTotalTable);
}
