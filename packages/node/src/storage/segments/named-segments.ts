/** The cold segments that the rows of a database name. */

import type { DatabaseSync } from "node:sqlite";

import { segmentKey } from "@durable-streams-cloudflare/core/log/segment-rows";

const NAMED = `SELECT name, incarnation, first, last FROM stream_segments
  JOIN stream_stream USING (o) JOIN objects USING (o)`;

/** The keys of all cold segments that a database names. Its rows must not change while they are read. */
export function* namedSegments(sqlite: DatabaseSync): Iterable<string> {
  for (const row of sqlite.prepare(NAMED).iterate()) {
    const [incarnation, first, last] = [Number(row["incarnation"]), Number(row["first"]), Number(row["last"])];
    yield segmentKey(String(row["name"]), { incarnation, first, last });
  }
}
