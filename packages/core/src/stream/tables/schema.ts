/**
 * The tables of one stream. They are made by its creation and gone with its deletion, so a stream that was only
 * ever asked for stores nothing. `docs/storage.md` describes them for operators.
 *
 * `MIGRATIONS` is append-only: its first entry brings version 1 to version 2, and a stream records which version it has.
 * A new stream gets `CURRENT` at once, which comes to the same: each change of a table would be a row written. Hosts know the
 * newest version by `data-version.ts`.
 */

import { firstRow, type Database } from "../../kit/database.ts";
import { logTables } from "../../log/hot-log.ts";
import { createLogTable } from "../../log/log-rows.ts";
import { SEGMENTS_TABLE } from "../../log/segment-rows.ts";
import { FORKS_TABLE } from "./fork-rows.ts";

const CURRENT: readonly string[] = [
  `CREATE TABLE stream (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    schema_version INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    ttl_seconds INTEGER,
    expires_at_ms INTEGER,
    touched_at_ms INTEGER NOT NULL,
    checkpoint_position INTEGER NOT NULL,
    stream_seq TEXT,
    origin TEXT,
    deleted INTEGER NOT NULL DEFAULT 0,
    closure TEXT,
    attempts TEXT,
    retention_seconds INTEGER,
    retention_bytes INTEGER,
    earliest_position INTEGER NOT NULL DEFAULT 0,
    kind TEXT NOT NULL DEFAULT 'plain',
    followed INTEGER,
    allowance_bytes INTEGER,
    consumers TEXT,
    records_authors INTEGER NOT NULL DEFAULT 0
  )`,
  createLogTable("log"),
  `CREATE TABLE producers (
    id TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL
  ) WITHOUT ROWID`,
  FORKS_TABLE,
  SEGMENTS_TABLE,
];

const MIGRATIONS: readonly (readonly string[])[] = [
  [SEGMENTS_TABLE, "ALTER TABLE stream ADD COLUMN closure TEXT", "ALTER TABLE stream ADD COLUMN attempts TEXT"],
  [
    "ALTER TABLE stream ADD COLUMN retention_seconds INTEGER",
    "ALTER TABLE stream ADD COLUMN retention_bytes INTEGER",
    "ALTER TABLE stream ADD COLUMN earliest_position INTEGER NOT NULL DEFAULT 0",
  ],
  [
    "ALTER TABLE stream ADD COLUMN kind TEXT NOT NULL DEFAULT 'plain'",
    "ALTER TABLE stream ADD COLUMN followed INTEGER",
  ],
  ["ALTER TABLE stream ADD COLUMN allowance_bytes INTEGER"],
  ["ALTER TABLE stream ADD COLUMN consumers TEXT"],
  ["ALTER TABLE stream ADD COLUMN records_authors INTEGER NOT NULL DEFAULT 0"],
];

/** The first version is 1. */
export const SCHEMA_VERSION = MIGRATIONS.length + 1;

const TABLES = ["stream", "producers", "forks", "segments"];

/** Whether the database holds a stream at all. */
export function hasSchema(database: Database): boolean {
  return (
    firstRow(database, "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'stream'") !== undefined
  );
}

/** Makes all tables anew; run inside the transaction that creates the stream. What an expired stream left is dropped. */
export function createSchema(database: Database): void {
  dropSchema(database);
  for (const statement of CURRENT) database.run(statement);
}

/** Drops the stream, but not its pending releases and pending deletions, which outlive it (see `fork-rows.ts`, `pending-deletion-rows.ts`). */
export function dropSchema(database: Database): void {
  for (const table of [...TABLES, ...logTables(database)]) database.run(`DROP TABLE IF EXISTS ${table}`);
}

/**
 * Brings an older stream up to date, in one transaction.
 * @returns whether it was older.
 * @throws Error when the stream was written by a newer server: reading it could damage it.
 */
export function upgradeSchema(database: Database): boolean {
  const row = firstRow<{ schema_version: number }>(database, "SELECT schema_version FROM stream WHERE id = 1");
  const version = row?.schema_version ?? SCHEMA_VERSION;
  if (version === SCHEMA_VERSION) return false;
  if (version > SCHEMA_VERSION) {
    throw new Error(
      `The stream has schema version ${version}, but this server supports at most ${SCHEMA_VERSION}: deploy a newer server.`,
    );
  }
  database.transaction(() => {
    for (const statement of MIGRATIONS.slice(version - 1).flat()) database.run(statement);
    database.run("UPDATE stream SET schema_version = ? WHERE id = 1", SCHEMA_VERSION);
  });
  return true;
}
