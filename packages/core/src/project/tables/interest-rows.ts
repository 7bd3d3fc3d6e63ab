/**
 * What subscriptions want to be told of, in a project's object.
 *
 * Table `consumers`: one row per subscription, by its id. Table `consumer_streams`: one row for each stream that a
 * subscription names, by both names. Table `consumer_changes`: one row for each stream whose news some subscription may not
 * have heard of yet, by its name.
 */

import type { ListedSubscription } from "../../contracts/project.ts";
import type { Interest, StreamChange } from "../../contracts/wakes.ts";
import { firstRow, type Database } from "../../kit/database.ts";

const TABLES = [
  `CREATE TABLE IF NOT EXISTS consumers (
    id TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    pattern TEXT,
    created_at_ms INTEGER NOT NULL
  ) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS consumer_streams (
    stream TEXT NOT NULL,
    consumer TEXT NOT NULL,
    PRIMARY KEY (stream, consumer)
  ) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS consumer_changes (
    stream TEXT PRIMARY KEY,
    incarnation INTEGER NOT NULL
  ) WITHOUT ROWID`,
  `CREATE INDEX IF NOT EXISTS consumer_streams_of ON consumer_streams (consumer)`,
];

type Change = Pick<StreamChange, "stream" | "incarnation">;

type Columns = { id: string; type: Interest["type"]; pattern: string | null; created_at_ms: number };

export function writeConsumer(database: Database, id: string, interest: Interest): void {
  for (const table of TABLES) database.run(table);
  const { type, pattern, createdAtMs } = interest;
  const sql = "INSERT OR REPLACE INTO consumers (id, type, pattern, created_at_ms) VALUES (?, ?, ?, ?)";
  database.run(sql, id, type, pattern, createdAtMs);
  for (const stream of interest.streams) {
    database.run("INSERT OR IGNORE INTO consumer_streams (stream, consumer) VALUES (?, ?)", stream, id);
  }
}

export function deleteConsumer(database: Database, id: string): void {
  if (!hasTables(database)) return;
  database.run("DELETE FROM consumers WHERE id = ?", id);
  database.run("DELETE FROM consumer_streams WHERE consumer = ?", id);
}

export function deleteConsumerStreams(database: Database, id: string, streams: readonly string[]): void {
  if (!hasTables(database)) return;
  for (const stream of streams) {
    database.run("DELETE FROM consumer_streams WHERE stream = ? AND consumer = ?", stream, id);
  }
}

export function countConsumers(database: Database): number {
  if (!hasTables(database)) return 0;
  return firstRow<{ consumers: number }>(database, "SELECT count(*) AS consumers FROM consumers")?.consumers ?? 0;
}

/** `undefined`: there is no such subscription. */
export function consumerCreatedAtMs(database: Database, id: string): number | undefined {
  if (!hasTables(database)) return undefined;
  const sql = "SELECT created_at_ms FROM consumers WHERE id = ?";
  return firstRow<{ created_at_ms: number }>(database, sql, id)?.created_at_ms;
}

/** Whether there is any. */
export function hasConsumers(database: Database): boolean {
  return countConsumers(database) > 0;
}

/** In the order of their ids. @param after the last id of the page before; `""` begins. */
export function listConsumers(database: Database, after: string, limit: number): ListedSubscription[] {
  if (!hasTables(database)) return [];
  const sql = "SELECT id, type, pattern, created_at_ms FROM consumers WHERE id > ? ORDER BY id LIMIT ?";
  return database
    .all<Columns>(sql, after, limit)
    .map(({ created_at_ms: createdAtMs, ...row }) => ({ ...row, createdAtMs }));
}

/** The subscriptions that name a stream. */
export function consumersNaming(database: Database, stream: string, limit: number): string[] {
  if (!hasTables(database)) return [];
  const sql = "SELECT consumer FROM consumer_streams WHERE stream = ? LIMIT ?";
  return database.all<{ consumer: string }>(sql, stream, limit).map(({ consumer }) => consumer);
}

export function insertChange(database: Database, { stream, incarnation }: Change): void {
  database.run("INSERT OR REPLACE INTO consumer_changes (stream, incarnation) VALUES (?, ?)", stream, incarnation);
}

export function hasChange(database: Database, { stream, incarnation }: Change): boolean {
  const sql = "SELECT 1 AS found FROM consumer_changes WHERE stream = ? AND incarnation = ?";
  return firstRow(database, sql, stream, incarnation) !== undefined;
}

export function deleteChange(database: Database, { stream, incarnation }: Change): void {
  database.run("DELETE FROM consumer_changes WHERE stream = ? AND incarnation = ?", stream, incarnation);
}

function hasTables(database: Database): boolean {
  const table = "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'consumers'";
  return firstRow(database, table) !== undefined;
}
