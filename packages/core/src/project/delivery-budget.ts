/**
 * Limits how many webhooks a project's subscriptions may send per minute, all of them together and to one host. The project
 * hands out permits in small portions, so that a subscription asks once for several deliveries. The count is in memory only: an
 * eviction loses less than a few seconds of a busy project, and busy projects are not evicted.
 */

import type { DeliveryGrant } from "../contracts/wakes.ts";

export interface DeliveryLimits {
  readonly perMinute: number;
  readonly perHostPerMinute: number;
}

/** What may be sent at once after a silence: this much of a minute's worth. */
const BURST_SHARE = 1 / 6;
/** Nobody is given more than this share of what there is. */
const PORTION_SHARE = 1 / 16;
/** Hosts that are counted; more than a project has subscriptions. */
const HOSTS_MAX = 2_048;

export class DeliveryBudget {
  readonly #all: Bucket;
  readonly #hosts = new Map<string, Bucket>();
  readonly #perHost: number;

  constructor({ perMinute, perHostPerMinute }: DeliveryLimits) {
    this.#all = new Bucket(perMinute);
    this.#perHost = perHostPerMinute;
  }

  /** @param wanted how many permits at most. */
  grant(host: string, wanted: number, nowMs: number): Omit<DeliveryGrant, "mustProve"> {
    const buckets = [this.#all, this.#host(host)];
    const available = Math.min(...buckets.map((bucket) => bucket.available(nowMs)));
    if (available < 1) return { granted: 0, waitMs: Math.max(...buckets.map((bucket) => bucket.waitMs(nowMs))) };
    const granted = Math.max(1, Math.min(wanted, Math.floor(available * PORTION_SHARE)));
    for (const bucket of buckets) bucket.take(granted);
    return { granted, waitMs: 0 };
  }

  /** The least recently used are forgotten. */
  #host(name: string): Bucket {
    const bucket = this.#hosts.get(name) ?? new Bucket(this.#perHost);
    this.#hosts.delete(name);
    this.#hosts.set(name, bucket);
    const [oldest] = this.#hosts.keys();
    if (this.#hosts.size > HOSTS_MAX && oldest !== undefined) this.#hosts.delete(oldest);
    return bucket;
  }
}

/** A token bucket. */
class Bucket {
  readonly #perMs: number;
  readonly #most: number;
  #tokens: number;
  #atMs: number | undefined;

  constructor(perMinute: number) {
    this.#perMs = perMinute / 60_000;
    this.#most = Math.max(1, perMinute * BURST_SHARE);
    this.#tokens = this.#most;
  }

  available(nowMs: number): number {
    const passedMs = Math.max(0, nowMs - (this.#atMs ?? nowMs));
    this.#tokens = Math.min(this.#most, this.#tokens + passedMs * this.#perMs);
    this.#atMs = nowMs;
    return this.#tokens;
  }

  take(tokens: number): void {
    this.#tokens -= tokens;
  }

  /** Until there is one. */
  waitMs(nowMs: number): number {
    return Math.max(0, Math.ceil((1 - this.available(nowMs)) / this.#perMs));
  }
}
