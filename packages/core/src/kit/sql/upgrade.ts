/** Generates the statements that upgrade tables of an older server, in either form. */

import { addColumn, createIndexes } from "./ddl.ts";
import type { Engine } from "./engine.ts";
import type { Form } from "./statement.ts";
import type { AnyTable } from "./table.ts";

/** A newer server has written the data: this one could damage them. */
export class NewerDataError extends Error {
  override readonly name = "NewerDataError";
}

/** @throws NewerDataError when a newer server has written the tables. */
export function refuseNewer(what: string, version: number, newest: number): void {
  if (version <= newest) return;
  throw new NewerDataError(
    `The tables of ${what} have schema version ${version}, but this server supports at most ${newest}: deploy a newer server.`,
  );
}

/** Adds the columns and indexes that later versions added to a table. @param partitions in the object form. */
export function completeTable(engine: Engine, table: AnyTable, form: Form, partitions: readonly number[] = [0]): void {
  for (const partition of partitions) {
    const rows = engine.exec<{ name: string }>(`PRAGMA table_info(${table.nameIn(form, partition)})`);
    const columns = new Set(rows.map(({ name }) => name));
    const missing = Object.keys(table.columns).filter((name) => !columns.has(name));
    for (const name of missing) engine.exec(addColumn(table, name, form, partition));
  }
  for (const statement of createIndexes(table, form)) engine.exec(statement);
}
