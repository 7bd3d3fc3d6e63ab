/**
 * Tells the project's directory that the stream was made or has ended. The news is written down with the event itself
 * and told by the alarm, a moment later and until it has arrived: creating a stream waits for no directory, and a crash
 * or a directory that is down loses nothing.
 */

import { deleteNotice, readNotice, writeNotice } from "../storage/notice-rows.ts";
import type { StreamHost } from "./host.ts";

/** Failed tries follow each other this far apart. */
const RETRY_MS = 30_000;

/** Writes the news down; inside the transaction of what it tells. */
export function announce(host: StreamHost, incarnation: number, contentType: string | null): void {
  if (host.directory === undefined) return;
  const atMs = host.now();
  const stream = host.name.slice(host.name.indexOf("/") + 1);
  writeNotice(host.database, { stream, incarnation, contentType, atMs }, atMs);
}

/** When the alarm must ring for it; `undefined`: there is no news. */
export function announcementDueAtMs(host: StreamHost): number | undefined {
  return host.directory === undefined ? undefined : readNotice(host.database)?.dueAtMs;
}

/** Tells the news that is due. Telling it twice does no harm. */
export async function tellNews(host: StreamHost): Promise<void> {
  const owed = host.directory === undefined ? undefined : readNotice(host.database);
  if (owed === undefined || owed.dueAtMs > host.now()) return;
  try {
    await host.directory?.note(owed.notice);
    deleteNotice(host.database, owed.notice);
  } catch {
    const newest = readNotice(host.database);
    if (newest !== undefined) writeNotice(host.database, newest.notice, host.now() + RETRY_MS);
  }
}
