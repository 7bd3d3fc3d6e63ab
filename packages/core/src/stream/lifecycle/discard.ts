/**
 * Deletes a stream whose stored data is damaged. Nothing in it can be read, not even who follows it or what it was forked from,
 * so everyone who might have to know is notified, and everything stored for its URL in the object storage is deleted.
 */

import { segmentsPrefix } from "../../log/segment-rows.ts";
import type { SegmentStore } from "../../log/segment-store.ts";
import type { StreamHost } from "../host.ts";
import { recordNotice, noticeOf } from "../notify/directory-notices.ts";
import { writeEndNotice } from "../tables/end-notice-rows.ts";
import { datingMs, mintIncarnation } from "./incarnation.ts";

/** What SQLite says of a database that it cannot read; the runtime puts it into the error's text. */
const DAMAGED = /\bSQLITE_(?:CORRUPT|NOTADB)\b/;

export function isDamage(error: unknown): boolean {
  return error instanceof Error && DAMAGED.test(error.message);
}

/**
 * @param incarnation greater than any that the stream may have had: its end is news wherever it is known.
 * @param purge deletes all that is stored, alarm included.
 */
export async function discardStored(host: StreamHost, incarnation: number, purge: () => Promise<void>): Promise<void> {
  const { database, segments, readers } = host;
  readers.endAll();
  // Before the name is free: the segments of the next stream begin in the same way.
  if (segments !== undefined) await deleteSegments(segments, segmentsPrefix(host.name));
  // Nothing can be stored beside damaged data. If everyone were notified after the purge only, a crash in between would leave
  // the stream in the directory, and its links with its followers. What is created here after such a crash has a later
  // incarnation.
  await host.directory?.note(noticeOf(host, mintIncarnation(datingMs(host), 0, 0), null));
  await host.notifyFollowers?.(null);
  await purge();
  database.transaction(() => {
    recordNotice(host, incarnation, null);
    if (host.notifyFollowers !== undefined) writeEndNotice(database, incarnation);
  });
}

/** A store that goes on listing what was deleted must not keep the object busy for ever. */
const LISTS_MAX = 1_000;

async function deleteSegments(segments: SegmentStore, prefix: string): Promise<void> {
  for (let lists = 0; lists < LISTS_MAX; lists += 1) {
    const keys = await segments.list(prefix);
    if (keys.length === 0) return;
    await segments.delete(keys);
  }
}
