/**
 * Limits unauthorized requests, per minute and address. Such a request may need a look-up in the registry, and nobody may cause
 * an unlimited number of these.
 */

import { monotonicMs } from "@durable-streams-cloudflare/core/kit/time/clock";
import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

import type { HttpRequest } from "../ports.ts";
import { WINDOW_SECONDS } from "./rate-limit.ts";

/** Addresses that are counted at the same time; the oldest is forgotten for a new one. */
const ADDRESSES_MAX = 10_000;
/** All addresses together have so many times what one has; so have those whose address nobody knows. */
const EVERYBODY_FACTOR = 10;
const EVERYBODY = "";
const ADDRESS_LENGTH_MAX = 64;

interface Window {
  count: number;
  readonly endsAtMs: number;
}

/** One isolate's counts of unauthorized requests, by address. */
export class Strangers {
  readonly #perMinute: number;
  readonly #addressHeader: string;
  readonly #now: () => number;
  /** In the order of their beginning, oldest first. */
  readonly #windows = new Map<string, Window>();

  readonly #counted = new WeakSet<HttpRequest>();

  /**
   * @param isBehindProxy whether every request is known to come through the operator's proxy, whose headers name the client's
   *   address.
   */
  constructor(perMinute: number, isBehindProxy: boolean, now: () => number = monotonicMs) {
    this.#perMinute = perMinute;
    this.#addressHeader = isBehindProxy ? "X-Forwarded-For" : "CF-Connecting-IP";
    this.#now = now;
  }

  /** Whether the client has reached its limit. */
  isOver(request: HttpRequest): boolean {
    const address = this.#addressOf(request);
    return this.#isOver(EVERYBODY, EVERYBODY_FACTOR) || (address !== EVERYBODY && this.#isOver(address, 1));
  }

  /** Counts a request. A request counts once, however often this is called for it. */
  count(request: HttpRequest): void {
    if (this.#counted.has(request)) return;
    this.#counted.add(request);
    this.#count(EVERYBODY);
    const address = this.#addressOf(request);
    if (address !== EVERYBODY) this.#count(address);
  }

  /**
   * Counts a request that is refused because it shows no valid right.
   * @returns the refusal to send. Above the limit it is always the same, so that it does not reveal whether something was
   *   looked up.
   */
  refuse(request: HttpRequest, refusal: Refusal): Refusal {
    if (refusal.problem.code !== "unauthenticated") return refusal;
    if (!this.#counted.has(request) && this.isOver(request)) return refuseStrangers();
    this.count(request);
    return refusal;
  }

  /**
   * The address that a request came from: of IPv6 the network, which is what one client has. Where neither Cloudflare nor the
   * own proxy has written the header, anybody may have, who then evades no more than the limit of one address.
   */
  #addressOf({ headers }: HttpRequest): string {
    const address = headers.get(this.#addressHeader)?.split(",").at(-1)?.trim() ?? EVERYBODY;
    return address.includes(":") ? address.split(":").slice(0, 4).join(":") : address.slice(0, ADDRESS_LENGTH_MAX);
  }

  #isOver(key: string, factor: number): boolean {
    const window = this.#windows.get(key);
    return window !== undefined && this.#now() < window.endsAtMs && window.count >= this.#perMinute * factor;
  }

  #count(key: string): void {
    const known = this.#windows.get(key);
    if (known !== undefined && this.#now() < known.endsAtMs) {
      known.count += 1;
      return;
    }
    this.#windows.delete(key);
    if (this.#windows.size >= ADDRESSES_MAX) this.#forgetOldest();
    this.#windows.set(key, { count: 1, endsAtMs: this.#now() + WINDOW_SECONDS * 1000 });
  }

  #forgetOldest(): void {
    for (const key of this.#windows.keys()) {
      if (key === EVERYBODY) continue;
      this.#windows.delete(key);
      return;
    }
  }
}

export function refuseStrangers(): Refusal {
  return refuse(
    "rate-limited",
    "Too many requests without a valid token came from this address or from all addresses together.",
    {
      hint: "Send a valid token: this limit does not apply to such requests. The limit is the setting STRANGERS_PER_MINUTE.",
      headers: { "Retry-After": String(WINDOW_SECONDS) },
    },
  );
}
