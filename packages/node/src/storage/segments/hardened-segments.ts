/**
 * Cold segments of the mode whose commits do not wait for the disk. A segment is durable at once, and a deletion, too. A power
 * cut could take the rows that a segment was made of and keep the segment, so that it would stand for other bytes later; or
 * bring back a stream whose segments were deleted. So whatever was committed before is made durable first.
 */

import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";

/**
 * Wraps a segment store.
 * @param harden makes everything durable that has been committed.
 */
export function hardenedSegments(segments: SegmentStore, harden: () => Promise<void>): SegmentStore {
  return {
    ...segments,
    put: async (...put) => {
      await harden();
      return segments.put(...put);
    },
    delete: async (keys) => {
      await harden();
      await segments.delete(keys);
    },
  };
}
