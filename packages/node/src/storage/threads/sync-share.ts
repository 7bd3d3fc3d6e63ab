/** The memory that the main thread and the sync thread share: three 32-bit cells. */

export interface SyncShare {
  /** The descriptor of the `-wal` file. Descriptors belong to the process, so both threads can use it. */
  readonly fd: number;
  readonly buffer: SharedArrayBuffer;
}

/** The number of the newest request; the thread waits for it to change. */
export const REQUESTED = 0;
/** The number of the last request that was carried out. */
export const SYNCED = 1;
/** 1 once a sync has failed. */
export const FAILED = 2;

/** The number of cells. */
export const CELLS = 3;
/** The request number that ends the thread. */
export const CLOSE = -1;
