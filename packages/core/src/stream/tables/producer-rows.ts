/**
 * Table `producers`: the state of each producer at the stream's checkpoint. Key: producer id (text, without a row id, so an
 * upsert writes one row). Value: newest epoch, last accepted seq in it. Rows live as long as the stream [PROTOCOL §5.2.1,
 * Producer State Cleanup].
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
  return firstRow(database, READ, id);
}

export function upsertProducer(database: Database, id: string, state: ProducerState): void {
  database.run(REPLACE, id, state.epoch, state.seq);
}
