/**
 * Reports whether the server can store anything: never again after a sync has failed, otherwise what the disk's own status
 * says.
 */

import type { StorageFault, StorageStatus } from "@durable-streams-cloudflare/http/limits/storage-status";

import type { CommitLoop } from "./commit-loop.ts";

const FAILED: StorageFault = { isFull: false, detail: "The disk failed, so the server must be started again." };

/** @param disk the status of the disk; without it, only failed syncs are reported. */
/** Combines the state of the commit loop with the status of the disk. */
export function storageStatus(commits: Pick<CommitLoop, "hasFailed">, disk: StorageStatus | undefined): StorageStatus {
  return {
    fault: async (bytes) => (commits.hasFailed ? FAILED : disk?.fault(bytes)),
    faultNow: async () => (commits.hasFailed ? FAILED : disk?.faultNow()),
  };
}
