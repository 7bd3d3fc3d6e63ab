/**
 * Request ids, by which an object recognizes a call that is repeated because its answer was lost. An id is remembered by time:
 * for as long as another copy of the call may still arrive, however many other calls arrive meanwhile.
 */

/** A call that its callee knows by its request id is not made again later than this after its first try. */
export const REPEATED_MS_MAX = 10_000;

/** So long a request id is remembered. The difference is what the last copy may take on its way. */
export const REMEMBERED_MS = 2 * REPEATED_MS_MAX;

/** What every command says that is known by a request id. */
export interface Identified {
  /** The request id. Each copy of the request carries the same one. The release before knows it by this name, too. */
  readonly attempt?: string;
  /** Of a copy that may not be the first: so long ago, in ms, the first one was sent. */
  readonly repeatedAfterMs?: number;
}

/** A command as its next try sends it. */
export function asRepeat<Command extends Identified>(command: Command, repeatedAfterMs: number | undefined): Command {
  return repeatedAfterMs === undefined ? command : { ...command, repeatedAfterMs };
}
