/** Generates the statements that create declared tables, in either form. */

import type { Column } from "./column.ts";
import { OBJECT_PARAMETER, type Form } from "./statement.ts";
import type { AnyTable } from "./table.ts";

/** Written once: each stream that is created runs them. */
const ofObjects = new WeakMap<AnyTable, readonly string[]>();

/** Creates a table and its indexes if they do not exist yet. @param partition in the object form. */
export function createTable(table: AnyTable, form: Form, partition = 0): readonly string[] {
  if (form === "shared") return [createSharedTable(table), ...createIndexes(table, form)];
  const known = partition === 0 ? ofObjects.get(table) : undefined;
  if (known !== undefined) return known;
  const statements = [objectTable(table, partition), ...createIndexes(table, form)];
  if (partition === 0) ofObjects.set(table, statements);
  return statements;
}

export function createIndexes(table: AnyTable, form: Form): string[] {
  const [prefix, owner] = form === "object" ? ["", []] : [`${table.kind}_`, [OBJECT_PARAMETER]];
  return Object.entries(table.indexes).map(([name, { columns, where }]) => {
    const on = `CREATE INDEX IF NOT EXISTS ${prefix}${name} ON ${table.nameIn(form)} (${[...owner, ...columns].join(", ")})`;
    return where === undefined ? on : `${on} WHERE ${where}`;
  });
}

export function addColumn(table: AnyTable, name: string, form: Form, partition = 0): string {
  const column = table.columns[name];
  if (column === undefined) throw new Error(`The table ${table.name} has no column ${name}.`);
  return `ALTER TABLE ${table.nameIn(form, partition)} ADD COLUMN ${name} ${definitionOf(name, column)}`;
}

/** Which partition of a table has a name in the object form; `undefined`: it is not a partition of the table. */
export function partitionOf({ name, partition }: AnyTable, tableName: string): number | undefined {
  if (tableName === name) return 0;
  const suffix = tableName.startsWith(`${name}_`) ? tableName.slice(name.length + 1) : "";
  return partition !== undefined && /^\d+$/.test(suffix) ? Number(suffix) : undefined;
}

/** A key of one integer is the row id. */
function objectTable(table: AnyTable, partition: number): string {
  const [only, ...others] = table.key;
  const isSingle = only !== undefined && others.length === 0;
  const columns = Object.entries(table.columns).map(([name, column]) =>
    isSingle && name === only
      ? `${name} ${column.type} PRIMARY KEY${checkOf(name, column)}`
      : `${name} ${definitionOf(name, column)}`,
  );
  if (!isSingle) columns.push(`PRIMARY KEY (${table.key.join(", ")})`);
  const isRowId = isSingle && table.columns[only]?.type === "INTEGER";
  return createText(table.nameIn("object", partition), columns, isRowId);
}

/**
 * The rows of all objects, kept by object. A partitioned table keeps its row ids, because its rows are large and are only
 * ever added at the end: so a commit writes a fraction of the pages that keeping them by their key would.
 */
export function createSharedTable(table: AnyTable): string {
  const owner = [OBJECT_PARAMETER, ...(table.partition === undefined ? [] : [table.partition])];
  const columns = [
    ...owner.map((name) => `${name} INTEGER NOT NULL`),
    ...Object.entries(table.columns).map(([name, column]) => `${name} ${definitionOf(name, column)}`),
  ];
  const key = `(${[...owner, ...table.key].join(", ")})`;
  const isRowId = table.partition !== undefined;
  columns.push(isRowId ? `UNIQUE ${key}` : `PRIMARY KEY ${key}`);
  return createText(table.nameIn("shared"), columns, isRowId);
}

function createText(name: string, columns: readonly string[], isRowId: boolean): string {
  return `CREATE TABLE IF NOT EXISTS ${name} (\n  ${columns.join(",\n  ")}\n)${isRowId ? "" : " WITHOUT ROWID"}`;
}

function definitionOf(name: string, column: Column): string {
  const { type, isNullable, defaultValue } = column;
  const fallback = typeof defaultValue === "string" ? `'${defaultValue}'` : defaultValue;
  const given = fallback === undefined ? "" : ` DEFAULT ${fallback}`;
  return `${type}${isNullable ? "" : " NOT NULL"}${given}${checkOf(name, column)}`;
}

function checkOf(name: string, { isOnlyRow }: Column): string {
  return isOnlyRow ? ` CHECK (${name} = 1)` : "";
}
