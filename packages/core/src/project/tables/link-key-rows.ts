/**
 * Which streams have links that were made by which key, in a project's object.
 *
 * Table `link_keys`: one row per stream and key, with the number of the stream's following that it belongs to. Table
 * `ended_keys`: one row per key whose links were ended. `after`: the last stream whose links are ended; null when all are.
 */

import { firstRow, type Database } from "../../kit/database.ts";
import { hasTable } from "../../kit/migrations.ts";

const TABLES = [
  `CREATE TABLE IF NOT EXISTS link_keys (
    source TEXT NOT NULL,
    kid TEXT NOT NULL,
    token INTEGER NOT NULL,
    PRIMARY KEY (source, kid)
  ) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS ended_keys (
    kid TEXT PRIMARY KEY,
    after TEXT
  ) WITHOUT ROWID`,
];

/** A stream's full name, and a key that has made links to it. */
export interface LinkKeyRow {
  readonly source: string;
  readonly kid: string;
}

export function insertLinkKey(database: Database, { source, kid }: LinkKeyRow, token: number): void {
  for (const table of TABLES) database.run(table);
  // A late word of an earlier following must not take the key from the one that there is.
  const sql = `INSERT INTO link_keys (source, kid, token) VALUES (?, ?, ?)
               ON CONFLICT (source, kid) DO UPDATE SET token = max(token, excluded.token)`;
  database.run(sql, source, kid, token);
}

/** Of a following that is over, or of one before it. */
export function deleteLinkKeys(database: Database, source: string, token: number): void {
  if (!hasTables(database)) return;
  database.run("DELETE FROM link_keys WHERE source = ? AND token <= ?", source, token);
}

export function deleteLinkKey(database: Database, { source, kid }: LinkKeyRow): void {
  database.run("DELETE FROM link_keys WHERE source = ? AND kid = ?", source, kid);
}

/** Streams with links by a key, in the order of their names. */
export function sourcesOfKey(database: Database, kid: string, after: string, limit: number): string[] {
  const sql = "SELECT source FROM link_keys WHERE source > ? AND kid = ? ORDER BY source LIMIT ?";
  return database.all<{ source: string }>(sql, after, kid, limit).map(({ source }) => source);
}

/** The key makes no links any more, and those that it has made are to be ended. */
export function insertEndedKey(database: Database, kid: string): void {
  for (const table of TABLES) database.run(table);
  database.run("INSERT OR REPLACE INTO ended_keys (kid, after) VALUES (?, '')", kid);
}

export function isEndedKey(database: Database, kid: string): boolean {
  if (!hasTables(database)) return false;
  return firstRow(database, "SELECT 1 AS found FROM ended_keys WHERE kid = ?", kid) !== undefined;
}

/** A key with links that are still to be ended, and the last stream whose links are. */
export function nextEndedKey(database: Database): { readonly kid: string; readonly after: string } | undefined {
  if (!hasTables(database)) return undefined;
  return firstRow<{ kid: string; after: string }>(
    database,
    "SELECT kid, after FROM ended_keys WHERE after IS NOT NULL LIMIT 1",
  );
}

/** @param after `null`: all are ended. */
export function updateEndedKey(database: Database, kid: string, after: string | null): void {
  database.run("UPDATE ended_keys SET after = ? WHERE kid = ?", after, kid);
}

function hasTables(database: Database): boolean {
  return hasTable(database, "link_keys");
}
