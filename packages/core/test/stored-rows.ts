import type { Columns, RowOf } from "../src/kit/sql/column.ts";
import { tablesOf } from "../src/kit/sql/schema.ts";
import type { PartitionedStatement, Statement } from "../src/kit/sql/statement.ts";
import { PartitionedTable, type AnyTable, type Table } from "../src/kit/sql/table.ts";
import type { Row } from "../src/kit/sql/value.ts";
import type { NodeDatabase } from "./node-database.ts";

const statements = new Map<Table, Statement>();
const ofPartitions = new Map<PartitionedTable, PartitionedStatement>();

/** All rows that an object has in a table, in the order of its key. */
export function rowsOf<C extends Columns>(database: NodeDatabase, table: Table<C>): RowOf<C>[] {
  if (!database.tables.has(table)) return [];
  let statement = statements.get(table);
  if (statement === undefined) {
    statement = table.select(Object.keys(table.columns), { orderBy: table.key.join(", ") });
    statements.set(table, statement);
  }
  return database.all(statement as Statement<Row & RowOf<C>>);
}

/** All that an object has stored: the rows of each table that it has. */
export function allRowsOf(database: NodeDatabase): Record<string, Row[]> {
  const tables = tablesOf(database.schema).filter((table) => database.tables.has(table));
  return Object.fromEntries(tables.flatMap((table) => partsOf(database, table)));
}

function partsOf(database: NodeDatabase, table: AnyTable): [name: string, rows: Row[]][] {
  if (!(table instanceof PartitionedTable)) return [[table.name, rowsOf(database, table)]];
  let statement = ofPartitions.get(table);
  if (statement === undefined) {
    statement = table.compute(Object.keys(table.columns).join(", "), { orderBy: table.key.join(", ") });
    ofPartitions.set(table, statement);
  }
  const rows = statement;
  return database.tables
    .partitions(table)
    .map((partition) => [table.nameIn("object", partition), database.all(rows.in(partition))]);
}
