/** A rate limiter with the interface of the Rate Limiting binding, which counts for this isolate alone. */

import { monotonicMs } from "@durable-streams-cloudflare/core/kit/time/clock";

import { BINDING_UNITS, WINDOW_SECONDS, type RateLimiter } from "./rate-limit.ts";

/** Keys that are counted at the same time; the oldest is forgotten for a new one. */
const KEYS_MAX = 10_000;

interface Window {
  count: number;
  readonly endsAtMs: number;
}

/** Counts in fixed windows of a minute, for a bounded number of keys. */
export class IsolateLimiter implements RateLimiter {
  readonly #now: () => number;
  /** In the order of their beginning, oldest first. */
  readonly #windows = new Map<string, Window>();

  constructor(now: () => number = monotonicMs) {
    this.#now = now;
  }

  async limit({ key, delta = 1 }: { key: string; delta?: number }): Promise<{ success: boolean }> {
    const window = this.#windowOf(key);
    if (window.count >= BINDING_UNITS) return { success: false };
    window.count += delta;
    return { success: true };
  }

  #windowOf(key: string): Window {
    const known = this.#windows.get(key);
    if (known !== undefined && this.#now() < known.endsAtMs) return known;
    this.#windows.delete(key);
    const [oldest] = this.#windows.keys();
    if (this.#windows.size >= KEYS_MAX && oldest !== undefined) this.#windows.delete(oldest);
    const window = { count: 0, endsAtMs: this.#now() + WINDOW_SECONDS * 1000 };
    this.#windows.set(key, window);
    return window;
  }
}

/**
 * A limiter that passes what both the binding and this isolate's own count pass. The isolate sees only a part of the requests
 * that the binding counts, but its count is all there is if the binding is missing, fails, or ignores `delta`, as the binding
 * of local development does.
 */
export function rateLimiterOf(binding: RateLimiter | undefined): RateLimiter {
  const own = new IsolateLimiter();
  if (binding === undefined) return own;
  return {
    limit: async (options) => {
      const alone = await own.limit(options);
      if (!alone.success) return alone;
      try {
        return await binding.limit(options);
      } catch {
        return alone;
      }
    },
  };
}
