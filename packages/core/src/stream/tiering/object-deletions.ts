/** Deletes the objects in R2 that nothing refers to any more (see `tables/pending-deletion-rows.ts`). */

import { withTimeout } from "../../kit/with-timeout.ts";
import { hasSegments, segmentPrefix } from "../../log/segment-rows.ts";
import type { SegmentStore } from "../../log/segment-store.ts";
import type { StreamHost } from "../host.ts";
import type { StreamState } from "../state.ts";
import {
  deletePendingDeletion,
  insertPendingDeletion,
  readPendingDeletions,
  type PendingDeletion,
} from "../tables/pending-deletion-rows.ts";
import { PUT_MS_MAX } from "./roller.ts";

/** Entries, and pages of a thousand objects each, that one alarm takes care of. */
const DELETIONS_PER_ALARM = 16;
const PAGES_PER_ALARM = 8;
const RETRY_MS = 30_000;
/** An upload that a dead object had begun is over by then. */
const LOOK_AGAIN_MS = 2 * PUT_MS_MAX;

/** What a stream that ends leaves in R2, if anything. */
export function pendingDeletionOf(host: StreamHost, { log, lineage }: StreamState): PendingDeletion | undefined {
  const mayBeUploading = host.segments !== undefined && log.frozen.length > 0;
  if (!mayBeUploading && !hasSegments(host.database)) return undefined;
  // Twice, because of an upload that was under way, or was given up and comes late.
  return { prefix: segmentPrefix(host.name, lineage.incarnation), dueAtMs: host.now(), looks: 2 };
}

/** Deletes the objects that are due. A failed deletion is tried again later. */
export async function deletePendingObjects(host: StreamHost): Promise<void> {
  const { database, segments } = host;
  if (segments === undefined) return;
  const due = readPendingDeletions(database, DELETIONS_PER_ALARM).filter(({ dueAtMs }) => dueAtMs <= host.now());
  for (const pendingDeletion of due) {
    const { prefix, looks } = pendingDeletion;
    try {
      const isDone = await withTimeout(PUT_MS_MAX, deleteAll(segments, prefix));
      if (isDone && looks <= 1) deletePendingDeletion(database, prefix);
      else if (isDone)
        insertPendingDeletion(database, { prefix, looks: looks - 1, dueAtMs: host.now() + LOOK_AGAIN_MS });
    } catch (error) {
      insertPendingDeletion(database, { ...pendingDeletion, dueAtMs: host.now() + RETRY_MS });
      host.report("Segments that are no longer needed could not be deleted.", error);
    }
  }
}

/** `false` when there are more. */
async function deleteAll(segments: SegmentStore, prefix: string): Promise<boolean> {
  if (!prefix.endsWith("/")) {
    await segments.delete([prefix]);
    return true;
  }
  for (let page = 0; page < PAGES_PER_ALARM; page += 1) {
    const keys = await segments.list(prefix);
    if (keys.length === 0) return true;
    await segments.delete(keys);
  }
  return false;
}
