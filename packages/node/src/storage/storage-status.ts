/** Whether something can be stored: as the disk is, unless the store itself has failed. */

import type { StorageFault, StorageStatus } from "@durable-streams-cloudflare/http/limits/storage-status";

import type { CommitLoop } from "./commit-loop.ts";

const FAILED: StorageFault = { isFull: false, detail: "The disk failed, so the server must be started again." };

/** @param disk what is known of it; without it, the disk is not asked. */
export function storageStatus(commits: Pick<CommitLoop, "hasFailed">, disk: StorageStatus | undefined): StorageStatus {
  return {
    fault: async (bytes) => (commits.hasFailed ? FAILED : disk?.fault(bytes)),
    faultNow: async () => (commits.hasFailed ? FAILED : disk?.faultNow()),
  };
}
