/**
 * What subscriptions want notifications for, in a project's object.
 *
 * Table `consumers`: one row per subscription, by its id. Table `consumer_streams`: one row for each stream that a
 * subscription names, by both names. Table `consumer_changes`: one row, by its name, for each stream whose latest
 * change some subscription may not have been notified of yet.
 */

import type { ListedSubscription } from "../../contracts/project.ts";
import type { Interest, StreamChange } from "../../contracts/wakes.ts";
import { firstRow, type Database } from "../../kit/database.ts";
import { integer, nullable, text } from "../../kit/sql/column.ts";
import { table } from "../../kit/sql/table.ts";

export const consumersTable = table({
  kind: "project",
  name: "consumers",
  columns: { id: text(), type: text<Interest["type"]>(), pattern: nullable(text()), created_at_ms: integer() },
  key: ["id"],
});

export const consumerStreamsTable = table({
  kind: "project",
  name: "consumer_streams",
  columns: { stream: text(), consumer: text() },
  key: ["stream", "consumer"],
  indexes: { consumer_streams_of: { columns: ["consumer"] } },
});

export const consumerChangesTable = table({
  kind: "project",
  name: "consumer_changes",
  columns: { stream: text(), incarnation: integer() },
  key: ["stream"],
});

const REPLACE = consumersTable.replace(["id", "type", "pattern", "created_at_ms"]);
const DELETE = consumersTable.delete("id = ?");
const COUNT = consumersTable.compute<{ consumers: number }>("count(*) AS consumers");
const CREATED_AT = consumersTable.select(["created_at_ms"], { where: "id = ?" });
const LIST = consumersTable.select(["id", "type", "pattern", "created_at_ms"], {
  where: "id > ?",
  orderBy: "id",
  limit: "?",
});

const INSERT_STREAM = consumerStreamsTable.insertNew(["stream", "consumer"]);
const DELETE_STREAMS = consumerStreamsTable.delete("consumer = ?");
const DELETE_STREAM = consumerStreamsTable.delete("stream = ? AND consumer = ?");
const NAMING = consumerStreamsTable.select(["consumer"], { where: "stream = ?", limit: "?" });

const REPLACE_CHANGE = consumerChangesTable.replace(["stream", "incarnation"]);
const IS_CHANGE = consumerChangesTable.exists("stream = ? AND incarnation = ?");
const DELETE_CHANGE = consumerChangesTable.delete("stream = ? AND incarnation = ?");

type Change = Pick<StreamChange, "stream" | "incarnation">;

export function writeConsumer(database: Database, id: string, interest: Interest): void {
  database.tables.create(consumersTable, consumerStreamsTable, consumerChangesTable);
  const { type, pattern, createdAtMs } = interest;
  database.run(REPLACE, id, type, pattern, createdAtMs);
  for (const stream of interest.streams) {
    database.run(INSERT_STREAM, stream, id);
  }
}

export function deleteConsumer(database: Database, id: string): void {
  if (!hasTables(database)) return;
  database.run(DELETE, id);
  database.run(DELETE_STREAMS, id);
}

export function deleteConsumerStreams(database: Database, id: string, streams: readonly string[]): void {
  if (!hasTables(database)) return;
  for (const stream of streams) {
    database.run(DELETE_STREAM, stream, id);
  }
}

export function countConsumers(database: Database): number {
  if (!hasTables(database)) return 0;
  return firstRow(database, COUNT)?.consumers ?? 0;
}

/** `undefined`: there is no such subscription. */
export function consumerCreatedAtMs(database: Database, id: string): number | undefined {
  if (!hasTables(database)) return undefined;
  return firstRow(database, CREATED_AT, id)?.created_at_ms;
}

/** Whether there is any. */
export function hasConsumers(database: Database): boolean {
  return countConsumers(database) > 0;
}

/** In the order of their ids. @param after the last id of the page before; `""` begins. */
export function listConsumers(database: Database, after: string, limit: number): ListedSubscription[] {
  if (!hasTables(database)) return [];
  return database.all(LIST, after, limit).map(({ created_at_ms: createdAtMs, ...row }) => ({ ...row, createdAtMs }));
}

/** The subscriptions that name a stream. */
export function consumersNaming(database: Database, stream: string, limit: number): string[] {
  if (!hasTables(database)) return [];
  return database.all(NAMING, stream, limit).map(({ consumer }) => consumer);
}

export function insertChange(database: Database, { stream, incarnation }: Change): void {
  database.run(REPLACE_CHANGE, stream, incarnation);
}

export function hasChange(database: Database, { stream, incarnation }: Change): boolean {
  return firstRow(database, IS_CHANGE, stream, incarnation) !== undefined;
}

export function deleteChange(database: Database, { stream, incarnation }: Change): void {
  database.run(DELETE_CHANGE, stream, incarnation);
}

function hasTables({ tables }: Database): boolean {
  return tables.has(consumersTable);
}
