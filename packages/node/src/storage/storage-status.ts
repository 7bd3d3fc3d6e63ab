/**
 * Reports whether the server can store anything: never again after a sync has failed, otherwise what the disk's own status
 * says, or, in the mode that stores in memory, whether its limit is reached. A bucket of cold segments that cannot be used is
 * reported to probes only: everything else is served without it.
 */

import type { StorageFault, StorageStatus } from "@durable-streams-cloudflare/http/limits/storage-status";

import type { MemoryLimit } from "./modes/memory-limit.ts";
import type { Storage } from "./storage.ts";

const FAILED: StorageFault = { isFull: false, detail: "The disk failed, so the server must be started again." };

/**
 * Combines the state of the storage with the status of the disk.
 * @param disk the status of the disk; without it, only failed syncs are reported.
 */
export function storageStatus(
  storage: Pick<Storage, "hasFailed" | "memory" | "bucket">,
  disk: StorageStatus | undefined,
): StorageStatus {
  const { memory, bucket } = storage;
  const ofDisk = async (bytes?: number): Promise<StorageFault | undefined> =>
    storage.hasFailed ? FAILED : memory ? faultOf(memory, bytes) : disk?.fault(bytes);
  return {
    fault: async (bytes) => (await ofDisk(bytes)) ?? (bytes === undefined ? bucket?.fault() : undefined),
    faultNow: async () => (storage.hasFailed ? FAILED : memory ? faultOf(memory, 0) : disk?.faultNow()),
  };
}

function faultOf(memory: MemoryLimit, bytes = 0): StorageFault | undefined {
  return memory.isFullFor(bytes) ? memory.fault : undefined;
}
