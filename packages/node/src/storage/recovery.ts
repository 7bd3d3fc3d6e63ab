/** What a start finds of a server that was not stopped cleanly. */

import { REGISTRY_STREAM } from "@durable-streams-cloudflare/protocol";

import type { Store } from "./store.ts";

/** The part of a start that restores what the last server had acknowledged. */
export interface Recovery {
  /** Pages that were read back from the write-ahead log. */
  readonly pages: number;
  /** Uploads of cold segments that were interrupted, and have been removed. Their bytes are still in the database. */
  readonly uploads: number;
  /** How many streams users have, counted up to 100,000 only, so that a start never takes long. */
  readonly streams: number;
}

/** From here on the number of streams is not counted. */
export const STREAMS_COUNTED_MAX = 100_000;

/**
 * Collects what a start has recovered; `undefined` if the last server was stopped properly.
 * @param uploads the number of interrupted uploads that were removed.
 */
export function recoveryOf(stores: readonly Store[], uploads: number): Recovery | undefined {
  const pages = stores.reduce((sum, { database }) => sum + database.pagesFound, 0);
  if (pages === 0 && uploads === 0) return undefined;
  const streams = stores.reduce((sum, store) => sum + countStreams(store), 0);
  return { pages, uploads, streams: Math.min(streams, STREAMS_COUNTED_MAX) };
}

/** The streams that the server makes for itself, one a project, are not counted. */
function countStreams({ database }: Store): number {
  const isOfUser = `substr(name, instr(name, '/') + 1) <> '${REGISTRY_STREAM}'`;
  const counted = `SELECT 1 FROM objects WHERE kind = 'stream' AND ${isOfUser} LIMIT ?`;
  return Number(database.sqlite.prepare(`SELECT count(*) AS n FROM (${counted})`).get(STREAMS_COUNTED_MAX)?.["n"]);
}
