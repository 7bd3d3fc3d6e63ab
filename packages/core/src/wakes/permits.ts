/**
 * Permits to send webhooks, which the project hands out in small portions: it has one limit for all its subscriptions together.
 */

import type { WakeSubscriptionHost } from "./host.ts";

/** Permits that are asked for at once. */
const PORTION = 8;
/** Permits that are not used within this time are void: the project may have other limits, or demand a proof, by then. */
const PERMIT_MS_MAX = 30_000;

export type Permit =
  /** `mustProve` is `undefined` while the project does not say. */
  | { readonly isGranted: true; readonly mustProve: boolean | undefined }
  | { readonly isGranted: false; readonly waitMs: number };

export class Permits {
  readonly #host: WakeSubscriptionHost;
  #left = 0;
  #untilMs = 0;
  /** `undefined`: the project has not been asked yet. */
  #mustProve: boolean | undefined;

  constructor(host: WakeSubscriptionHost) {
    this.#host = host;
  }

  /** Takes a permit to send something to a URL. A project that does not answer limits nobody. */
  async take(url: string): Promise<Permit> {
    if (this.#left === 0 || this.#host.now() >= this.#untilMs) {
      const grant = await this.#host.directory.grantDeliveries(hostOf(url), PORTION).catch(() => this.#silence());
      this.#mustProve = grant.mustProve;
      if (grant.granted === 0) return { isGranted: false, waitMs: grant.waitMs };
      this.#left = grant.granted;
      this.#untilMs = this.#host.now() + PERMIT_MS_MAX;
    }
    this.#left -= 1;
    return { isGranted: true, mustProve: this.#mustProve };
  }

  #silence() {
    return { granted: 1, waitMs: 0, mustProve: this.#mustProve };
  }
}

/** Its name alone: another path or port is not another host. */
function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname.replace(/\.$/, "") : "";
}
