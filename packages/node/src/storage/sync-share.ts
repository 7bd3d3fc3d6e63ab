/** The memory that the main thread and the sync thread share: three 32-bit cells. */

export interface SyncShare {
  /** The descriptor of the `-wal` file: descriptors are the process's, not the thread's. */
  readonly fd: number;
  readonly buffer: SharedArrayBuffer;
}

/** The number of the newest request; the thread waits for it to change. */
export const REQUESTED = 0;
/** The number of the last request that was carried out. */
export const SYNCED = 1;
/** 1 once a sync has failed. */
export const FAILED = 2;

export const CELLS = 3;
/** As a request: the thread ends. */
export const CLOSE = -1;
