/** A segment store that changes nothing in a bucket that is another server's by now. */

import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";

/** @param check rejects when the bucket is not this server's. It is asked before each change, which are few: one a segment. */
export function ownedSegments(store: SegmentStore, check: () => Promise<void>): SegmentStore {
  return {
    get: (key, offset, length) => store.get(key, offset, length),
    list: (prefix) => store.list(prefix),
    put: async (key, size, chunks, signal) => {
      await check();
      return store.put(key, size, chunks, signal);
    },
    delete: async (keys) => {
      await check();
      await store.delete(keys);
    },
  };
}
