/**
 * Table `producers`, created by the first checkpoint that has a producer: the state of each at the checkpoint. Key: producer id
 * (text, without a row id, so an upsert writes one row). Value: newest epoch, last accepted seq in it. Rows live as long as the
 * stream [PROTOCOL §5.2.1, Producer State Cleanup].
 */

import type { ProducerState } from "@durable-streams-cloudflare/protocol";

import { firstRow, type Database } from "../../kit/database.ts";
import { integer, text } from "../../kit/sql/column.ts";
import { table } from "../../kit/sql/table.ts";

export const producersTable = table({
  kind: "stream",
  name: "producers",
  columns: { id: text(), epoch: integer(), seq: integer() },
  key: ["id"],
});

const READ = producersTable.select(["epoch", "seq"], { where: "id = ?" });
const REPLACE = producersTable.replace(["id", "epoch", "seq"]);

export function readProducer(database: Database, id: string): ProducerState | undefined {
  return database.tables.has(producersTable) ? firstRow(database, READ, id) : undefined;
}

/** One row for each. */
export function upsertProducers(database: Database, producers: ReadonlyMap<string, ProducerState>): void {
  if (producers.size === 0) return;
  if (!database.tables.has(producersTable)) database.tables.create(producersTable);
  for (const [id, { epoch, seq }] of producers) database.run(REPLACE, id, epoch, seq);
}
