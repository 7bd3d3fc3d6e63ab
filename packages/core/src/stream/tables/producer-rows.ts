/**
 * Table `producers`: what is known of each producer up to the stream's checkpoint.
 * Key: producer id (text, without a row id, so an upsert writes one row). Value: newest epoch, last accepted seq in it.
 * Rows live as long as the stream [PROTOCOL §5.2.1, Producer State Cleanup].
 */

import type { ProducerState } from "@durable-streams-cloudflare/protocol";

import { firstRow, type Database } from "../../kit/database.ts";

export function readProducer(database: Database, id: string): ProducerState | undefined {
  return firstRow<{ epoch: number; seq: number }>(database, "SELECT epoch, seq FROM producers WHERE id = ?", id);
}

export function upsertProducer(database: Database, id: string, state: ProducerState): void {
  database.run("INSERT OR REPLACE INTO producers (id, epoch, seq) VALUES (?, ?, ?)", id, state.epoch, state.seq);
}
