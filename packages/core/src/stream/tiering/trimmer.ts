/**
 * Retention: drops a stream's oldest segments, whole segments only. The transaction that drops them also moves the stream's
 * earliest position forward; offsets never change. Only the alarm does this.
 */

import { keepsAll } from "@durable-streams-cloudflare/protocol";

import { deleteSegment, segmentKey, segmentsFrom, type SegmentRow } from "../../log/segment-rows.ts";
import type { StreamHost } from "../host.ts";
import type { StreamState } from "../state.ts";
import { hasForks } from "../tables/fork-rows.ts";
import { insertPendingDeletion } from "../tables/pending-deletion-rows.ts";
import { updateEarliest } from "../tables/stream-row.ts";

/** Segments looked at in one go; the alarm comes back for more. */
const SEGMENTS_PER_ALARM = 64;

/** When there will be something to trim, in ms, unless something is appended before. */
export function trimDueAtMs(state: StreamState, host: StreamHost): number | undefined {
  if (keepsAll(state.retention)) return undefined;
  if (spareSegments(state, host).length > 0) return host.now();
  const [oldest] = segmentsFrom(host.database, state.earliest, 1);
  return oldest && endsAtMs(state, oldest, host.now());
}

/** Moves `earliest` forward, and drops what is before it unless forks may read it. */
export function trim(state: StreamState, host: StreamHost): void {
  if (keepsAll(state.retention)) return;
  const { database } = host;
  const now = host.now();
  const old = segmentsFrom(database, state.earliest, SEGMENTS_PER_ALARM);
  const kept = old.findIndex((segment) => (endsAtMs(state, segment, now) ?? Infinity) > now);
  const earliest = old.slice(0, kept < 0 ? old.length : kept).at(-1)?.last ?? state.earliest;
  const spare = spareSegments({ earliest }, host);
  if (earliest === state.earliest && spare.length === 0) return;
  database.transaction(() => {
    updateEarliest(database, earliest);
    for (const { first, last } of spare) {
      deleteSegment(database, first);
      const key = segmentKey(host.name, { incarnation: state.lineage.incarnation, first, last });
      insertPendingDeletion(database, { prefix: key, dueAtMs: now, looks: 1 });
    }
  });
  state.earliest = earliest;
}

/** When a segment's time is over, in ms: once what is behind it is enough, or it is old. `undefined`: not by itself. */
function endsAtMs({ retention, tail }: StreamState, segment: SegmentRow, nowMs: number): number | undefined {
  const { seconds, bytes } = retention;
  if (bytes !== undefined && tail - segment.last >= bytes) return nowMs;
  return seconds === undefined ? undefined : segment.committedAtMs + seconds * 1000;
}

/** Segments before `earliest` that are still there: while there are forks, all of them are. */
function spareSegments({ earliest }: Pick<StreamState, "earliest">, { database }: StreamHost): SegmentRow[] {
  if (earliest === 0 || hasForks(database)) return [];
  return segmentsFrom(database, 0, SEGMENTS_PER_ALARM).filter(({ last }) => last <= earliest);
}
