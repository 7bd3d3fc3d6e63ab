/**
 * The tables of a database that all objects share. They are created and upgraded when the server starts, for all objects at
 * once, in one transaction.
 */

import { createSharedTable } from "./ddl.ts";
import type { Engine } from "./engine.ts";
import { tablesOf, type Schema } from "./schema.ts";
import type { AnyTable } from "./table.ts";
import { completeTable, refuseNewer } from "./upgrade.ts";

const VERSIONS = "schema_versions";
const CREATE_VERSIONS = `CREATE TABLE IF NOT EXISTS ${VERSIONS} (
  kind TEXT PRIMARY KEY,
  version INTEGER NOT NULL
) WITHOUT ROWID`;

/** @throws Error when a newer server has written the tables of one kind; nothing is changed then. */
export function prepareSharedTables(engine: Engine, schemas: readonly Schema[]): void {
  engine.transaction(() => {
    engine.exec(CREATE_VERSIONS);
    for (const schema of schemas) prepareKind(engine, schema);
  });
}

function prepareKind(engine: Engine, schema: Schema): void {
  const { kind, version: newest } = schema;
  const found = engine.exec<{ version: number }>(`SELECT version FROM ${VERSIONS} WHERE kind = ?`, kind)[0]?.version;
  if (found === newest) return;
  refuseNewer(`this database (${kind})`, found ?? 0, newest);
  for (const table of tablesOf(schema)) prepareTable(engine, table);
  engine.exec(`INSERT OR REPLACE INTO ${VERSIONS} (kind, version) VALUES (?, ?)`, kind, newest);
}

function prepareTable(engine: Engine, table: AnyTable): void {
  engine.exec(createSharedTable(table));
  completeTable(engine, table, "shared");
}
