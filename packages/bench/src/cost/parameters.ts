/**
 * What the page of costs takes for granted and no test counts: one home for each figure, with where it was measured. Replace
 * them when something newer has been measured.
 */

/** A reading of the Worker's processor time: how many milliseconds the platform bills, with `SHARED_LIVE=on`. */
export interface Reading {
  readonly name: string;
  /** For one event to one SSE reader; a heartbeat counts as one, too. */
  readonly deliveryMs: number;
  /** For one answer to a long-poll. */
  readonly pollMs: number;
}

/**
 * All of the process: workerd with edge and object in it and 1,000 readers, in the run of 2026-12-01 that docs/performance.md
 * describes. Other work shared the machine, so this is rather too high. In the isolate: the part of the time for which the
 * isolate is locked, by sampling with 500 SSE readers on 2026-11-30 (39 %, 17.5 µs of a prototype of the hub, plus 7 µs of the
 * server's own JavaScript); for long-polls, the same part of the whole. The assumption `cpu-billed` of
 * docs/to-be-confirmed.md decides between the two; the second is what the platform's limit of processor time counts.
 */
export const READINGS: readonly Reading[] = [
  { name: "all of the process", deliveryMs: 0.094, pollMs: 0.205 },
  { name: "in the isolate", deliveryMs: 0.025, pollMs: 0.08 },
];

/** A delivery with `SHARED_LIVE=off`: all of the process, in the same run. */
export const ALONE_DELIVERY_MS = 0.129;

/** Over how many isolates 10,000 readers of one stream are spread. An assumption: `isolates-of-readers`. */
export const ISOLATES = 100;

/** How long an object is busy to push one event into one channel: 0.27 s for 10,000 sockets, measured on 2026-11-30. */
export const PUSH_SECONDS = 0.000_027;

/** The size of one log line. The server's own have about 600 bytes; the platform adds fields. An assumption. */
export const LOG_LINE_BYTES = 1_000;
