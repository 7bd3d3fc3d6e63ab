/**
 * Cloudflare's prices in US dollars as of November 2026, from the pages "Pricing" of Workers, Durable Objects, R2 and KV at
 * developers.cloudflare.com. They apply beyond what the paid plan ($5 per month) includes.
 */
export const PRICES_AS_OF = "2026-11-01";

const MILLION = 1_000_000;

export const PRICES = {
  workerRequest: 0.3 / MILLION,
  cpuMs: 0.02 / MILLION,
  objectRequest: 0.15 / MILLION,
  /** Memory times time. An object counts as 128 MB, and as nothing while it hibernates. */
  objectGigabyteSecond: 12.5 / MILLION,
  rowRead: 0.001 / MILLION,
  rowWritten: 1 / MILLION,
  objectGigabyteMonth: 0.2,
  /** Class A: put, list. */
  r2Write: 4.5 / MILLION,
  /** Class B: get, head. */
  r2Read: 0.36 / MILLION,
  r2GigabyteMonth: 0.015,
  kvRead: 0.5 / MILLION,
  kvWrite: 5 / MILLION,
} as const;

/**
 * Workers Logs, beyond what the plan includes: by event until the end of November 2026, and from December on by size, when they
 * are written and while they are stored (the page "Pricing" of Cloudflare Observability).
 */
export const LOG_PRICES = { event: 0.6 / MILLION, gigabyte: 0.25, gigabyteMonth: 0.1, retentionDays: 7 } as const;

/** The memory that an object counts as. */
export const OBJECT_GIGABYTES = 0.128;
