/** SQLite of Node.js in the shape of a Durable Object's. */

import type { DatabaseSync, SQLInputValue, SQLOutputValue } from "node:sqlite";

import type { Row, SqlValue } from "../src/kit/sql/value.ts";

export function inTransaction<T>(sqlite: DatabaseSync, work: () => T): T {
  sqlite.exec("BEGIN");
  try {
    const result = work();
    sqlite.exec("COMMIT");
    return result;
  } catch (error) {
    sqlite.exec("ROLLBACK");
    throw error;
  }
}

export function toInput(value: SqlValue): SQLInputValue {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : value;
}

export function toRow(row: Record<string, SQLOutputValue>): Row {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, toValue(value)]));
}

/** An object's SQLite gives blobs as buffers of their own. */
function toValue(value: SQLOutputValue): SqlValue {
  if (typeof value === "bigint") throw new Error("SQLite returned an integer that no number holds.");
  return value instanceof Uint8Array ? new Uint8Array(value).buffer : value;
}
