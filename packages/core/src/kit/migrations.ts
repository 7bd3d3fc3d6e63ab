/**
 * The version of a database's tables. A database records which one it has, in the table `schema_version`; one from before
 * that has version 1. Migrations are append-only: the first brings version 1 to version 2. What is new is nullable or has a
 * default, so that the release before can still write the tables, should it be deployed again.
 */

import { firstRow, type Database } from "./database.ts";

const VERSION_TABLE = `CREATE TABLE IF NOT EXISTS schema_version (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  version INTEGER NOT NULL
)`;

export interface Schema {
  /** A table that every version has: where it is missing, nothing is stored. */
  readonly table: string;
  /** What a new database gets at once, which comes to the same as all migrations. */
  readonly current: readonly string[];
  readonly migrations: readonly (readonly string[])[];
}

export function hasTable(database: Database, table: string): boolean {
  const sql = "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = ?";
  return firstRow(database, sql, table) !== undefined;
}

/** Makes the tables where there are none yet. */
export function createTables(database: Database, { table, current, migrations }: Schema): void {
  if (hasTable(database, table)) return;
  for (const statement of current) database.run(statement);
  writeVersion(database, migrations.length + 1);
}

/**
 * Brings older tables up to date, in one transaction; where nothing is stored it stores nothing.
 * @throws Error when they were written by a newer server: writing to them could damage them.
 */
export function upgradeTables(database: Database, { table, migrations }: Schema): void {
  if (!hasTable(database, table)) return;
  const version = readVersion(database);
  const newest = migrations.length + 1;
  if (version === newest) return;
  if (version > newest) {
    throw new Error(
      `The tables have version ${version}, but this server supports at most ${newest}: deploy a newer server.`,
    );
  }
  database.transaction(() => {
    for (const statement of migrations.slice(version - 1).flat()) database.run(statement);
    writeVersion(database, newest);
  });
}

function readVersion(database: Database): number {
  if (!hasTable(database, "schema_version")) return 1;
  return firstRow<{ version: number }>(database, "SELECT version FROM schema_version WHERE id = 1")?.version ?? 1;
}

function writeVersion(database: Database, version: number): void {
  database.run(VERSION_TABLE);
  database.run("INSERT OR REPLACE INTO schema_version (id, version) VALUES (1, ?)", version);
}
