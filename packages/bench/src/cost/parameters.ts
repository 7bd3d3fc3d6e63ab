/**
 * What the page of costs takes for granted and no test counts: one home for each figure, with where it was measured. Replace
 * them when something newer has been measured.
 */

/** A reading of the Worker's processor time: how many milliseconds the platform bills for one event to one SSE reader. */
export interface Reading {
  readonly name: string;
  readonly deliveryMs: number;
}

/**
 * Measured on workerd with 1,000 SSE readers, edge and object in two processes, 2026-11-30, with the shared channel: the whole
 * process of the edge, and of that what the isolate is locked for, by sampling. Nobody has measured yet on an account which of
 * the two the platform bills; the second is what its limit of processor time counts.
 */
export const READINGS: readonly Reading[] = [
  { name: "all of the process", deliveryMs: 0.052 },
  { name: "in the isolate", deliveryMs: 0.025 },
];

/** Over how many isolates 10,000 readers of one stream are spread. An assumption: the platform does not say. */
export const ISOLATES = 100;

/** How long an object is busy to push one event into one channel: 0.27 s for 10,000 sockets, measured on 2026-11-30. */
export const PUSH_SECONDS = 0.000_027;

/** The size of one log line. The server's own have about 600 bytes; the platform adds fields. An assumption. */
export const LOG_LINE_BYTES = 1_000;
