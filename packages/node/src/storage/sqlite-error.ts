/** Classifies errors of SQLite by what they mean for the server. */

/** Primary codes of SQLite. */
export const SQLITE = {
  perm: 3,
  busy: 5,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  auth: 23,
  notADatabase: 26,
} as const;

/** The disk refused a sync. It may have dropped what was to be synced, so that another try would succeed and prove nothing. */
const FAILED_SYNCS: ReadonlySet<number> = new Set([1_034, 1_290]);

/** Whether the same statement may succeed later: the disk is full, or another connection holds a lock. */
export function isPassing(error: unknown): boolean {
  const code = primaryCodeOf(error);
  return code === SQLITE.full || code === SQLITE.busy;
}

/** Whether the error means that a sync failed: from then on it is unknown what is durable. */
export function isFailedSync(error: unknown): boolean {
  return FAILED_SYNCS.has(codeOf(error));
}

/** Which of `SQLITE` an error is; 0 where it is not SQLite's. */
export function primaryCodeOf(error: unknown): number {
  return codeOf(error) % 256;
}

/** The extended code; 0 where the error is not SQLite's. */
function codeOf(error: unknown): number {
  return error instanceof Error && "errcode" in error ? Number(error.errcode) : 0;
}
