/** Classifies errors of SQLite by what they mean for the server. */

const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;
/** The disk refused a sync. It may have dropped what was to be synced, so that another try would succeed and prove nothing. */
const FAILED_SYNCS: ReadonlySet<number> = new Set([1_034, 1_290]);

/** Whether the same statement may succeed later: the disk is full, or another connection holds a lock. */
export function isPassing(error: unknown): boolean {
  const code = codeOf(error) % 256;
  return code === SQLITE_FULL || code === SQLITE_BUSY;
}

/** Whether the error means that a sync failed: from then on it is unknown what is durable. */
export function isFailedSync(error: unknown): boolean {
  return FAILED_SYNCS.has(codeOf(error));
}

/** The extended code; 0 where the error is not SQLite's. */
function codeOf(error: unknown): number {
  return error instanceof Error && "errcode" in error ? Number(error.errcode) : 0;
}
