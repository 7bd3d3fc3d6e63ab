import { resolve } from "node:path";

import { lockDataDir } from "./lock.ts";
import { endOrphan } from "./process-record.ts";

/**
 * Locks a data directory whose server is stopped: until it is released, no server can start on it and nothing in it changes.
 * @returns a function that releases the directory.
 * @throws Failure when a server uses the directory.
 */
export async function claimDataDir(dataDir: string): Promise<() => void> {
  const path = resolve(dataDir);
  const lock = lockDataDir(path);
  try {
    await endOrphan(path);
  } catch (error) {
    lock.release();
    throw error;
  }
  return () => lock.release();
}
