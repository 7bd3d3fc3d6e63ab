/**
 * Notifies the project's directory that the stream was created or has ended. The notice is stored in the same transaction as
 * the event, and the alarm sends it until it has arrived. So creating a stream never waits for the directory, and no notice is
 * lost in a crash or while the directory is down.
 */

import { REGISTRY_STREAM } from "@durable-streams-cloudflare/protocol";

import type { StreamNotice } from "../../contracts/project.ts";
import type { DirectoryApi, StreamHost } from "../host.ts";
import { setQuotaGrant, storedBytes, type StreamState } from "../state.ts";
import { deleteNotice, readNotice, writeNotice } from "../tables/notice-rows.ts";

/** The objects of projects. */
export interface Directories {
  getByName(project: string): DirectoryApi;
}

/** Failed tries follow each other at least, and at most, this far apart. */
const RETRY_MS_MIN = 2_000;
const RETRY_MS_MAX = 30_000;

/**
 * Where a stream sends its notices; `undefined`: nowhere, as for the registry, which is not listed itself. A stub that failed
 * is of no more use, so each call gets a new one.
 * @param name the stream's full name.
 */
export function directoryOf(directories: Directories | undefined, name: string): DirectoryApi | undefined {
  const slash = name.indexOf("/");
  if (directories === undefined || name.slice(slash + 1) === REGISTRY_STREAM) return undefined;
  return { note: (report) => directories.getByName(name.slice(0, slash)).note(report) };
}

/** Stores the notice, in the transaction of the event that it reports. */
export function recordNotice(host: StreamHost, incarnation: number, contentType: string | null): void {
  if (host.directory === undefined) return;
  const notice = noticeOf(host, incarnation, contentType);
  writeNotice(host.database, notice, notice.atMs);
}

/** @param contentType `null`: the stream has ended. */
export function noticeOf(host: StreamHost, incarnation: number, contentType: string | null): StreamNotice {
  const stream = host.name.slice(host.name.indexOf("/") + 1);
  return { stream, incarnation, contentType, atMs: host.now() };
}

/** When the alarm must fire for it; `undefined`: there is no notice. */
export function noticeDueAtMs(host: StreamHost): number | undefined {
  return host.directory === undefined ? undefined : readNotice(host.database)?.dueAtMs;
}

/**
 * Sends the notice that is due, and with it what the stream stores. Sending it twice does no harm.
 * @param current the stream that is there, also after a wait.
 */
export async function sendNotices(host: StreamHost, current: () => StreamState | undefined): Promise<void> {
  const pending = host.directory === undefined ? undefined : readNotice(host.database);
  if (pending === undefined || pending.dueAtMs > host.now()) return;
  try {
    const state = current();
    const stored = state === undefined ? 0 : storedBytes(state);
    const quotaGrant = await host.directory?.note({ ...pending.notice, stored });
    deleteNotice(host.database, pending.notice);
    if (state === undefined || state !== current() || pending.notice.contentType === null) return;
    setQuotaGrant(state, host.database, quotaGrant ?? null);
  } catch {
    const newest = readNotice(host.database);
    if (newest !== undefined)
      writeNotice(host.database, newest.notice, host.now() + retryMs(host.now(), newest.notice));
  }
}

/** As long again as the notice has been waiting, so that the pauses double. */
function retryMs(nowMs: number, { atMs }: StreamNotice): number {
  return Math.min(Math.max(nowMs - atMs, RETRY_MS_MIN), RETRY_MS_MAX);
}
