/**
 * Renews a sliding lifetime during a long read [PROTOCOL §5.1, Stream-TTL]. The pages of a read may come from other objects,
 * which do not notify the stream, so the read itself notifies it from time to time.
 */

import { monotonicMs } from "@durable-streams-cloudflare/core/kit/time/clock";
import type { Lifetime } from "@durable-streams-cloudflare/protocol";

import type { StreamClient } from "./stream-client.ts";

/** The renewals during one read. */
export class Renewal {
  readonly #stream: StreamClient;
  /** The interval between renewals: 10 % of the TTL, which is how often the stream stores them. */
  readonly #everyMs: number;
  #renewedAtMs = monotonicMs();

  /** The read that creates this has just renewed the lifetime. */
  constructor(stream: StreamClient, lifetime: Lifetime) {
    this.#stream = stream;
    this.#everyMs = lifetime.kind === "ttl" ? lifetime.ttlSeconds * 100 : Infinity;
  }

  /**
   * Called for each page of the read. Renews the lifetime when it is time to. Ignores a refusal, because the read itself
   * notices when the stream no longer exists.
   */
  async goOn(): Promise<void> {
    const nowMs = monotonicMs();
    if (nowMs - this.#renewedAtMs < this.#everyMs) return;
    this.#renewedAtMs = nowMs;
    // To read nothing is a read too.
    await this.#stream.call((stub) => stub.read({ from: { kind: "now" }, ifNoneMatch: null, paging: "bytes" }));
  }
}
