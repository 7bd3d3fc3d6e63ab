/** How much of a project's quota one stream is granted in advance, so that it seldom has to ask for more. */

const KIB = 1024;
/** A stream is given so much more than it asks for: a share of what it stores, within these bounds. */
const SPARE_BYTES_MIN = 4 * KIB;
const SPARE_BYTES_MAX = 4 * KIB * KIB;
const SPARE_DIVISOR = 16;
/** And never more than this share of what the project has left: nothing when that is little, to be exact then. */
const LEFT_DIVISOR = 16;

/** A stream is given places for a share more readers than it asks for. */
const SPARE_SLOTS_DIVISOR = 4;

export interface BytesAsked {
  /** `null`: the project has no limit. */
  readonly limit: number | null;
  /** What its other streams were given. */
  readonly others: number;
  readonly stored: number;
  /** What the stream would store, had it what it asks for. */
  readonly wanted: number;
}

/** How many bytes the stream may store; as many as it stores already, if the quota does not allow what it wants. */
export function allowBytes({ limit, others, stored, wanted }: BytesAsked): number | null {
  if (limit === null) return null;
  const left = limit - others - wanted;
  if (left < 0) return stored;
  const most = Math.floor(left / LEFT_DIVISOR);
  // Who asks for nothing may never come back for it.
  if (wanted === stored || most < SPARE_BYTES_MIN) return wanted;
  const share = Math.max(Math.floor(wanted / SPARE_DIVISOR), SPARE_BYTES_MIN);
  return wanted + Math.min(share, SPARE_BYTES_MAX, most);
}

export interface ReaderSlotsAsked {
  /** `null`: the project has no limit. */
  readonly limit: number | null;
  /** Places that its other streams were given. */
  readonly others: number;
  /** Readers that wait on the stream, and with those that would like to. */
  readonly readers: number;
  readonly wanted: number;
}

/** How many readers may wait on the stream: those that wait already, and as many others as there are slots for. */
export function allowReaders({ limit, others, readers, wanted }: ReaderSlotsAsked): number | null {
  if (limit === null) return null;
  const left = limit - others - wanted;
  if (left < 0) return Math.max(readers, limit - others);
  return wanted + Math.min(Math.floor(wanted / SPARE_SLOTS_DIVISOR), Math.floor(left / LEFT_DIVISOR));
}
