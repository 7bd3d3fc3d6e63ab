/**
 * Renews a sliding lifetime during a long read [PROTOCOL §5.1, Stream-TTL]. The pages of a read may come from other objects,
 * which do not notify the stream, so the read itself notifies it from time to time.
 */

import type { Lifetime } from "@durable-streams-cloudflare/protocol";

import type { StreamClient } from "./stream-client.ts";

export class Renewal {
  readonly #stream: StreamClient;
  /** As often as the stream stores it: every 10 % of the TTL. */
  readonly #everyMs: number;
  #renewedAtMs = Date.now();

  /** The read itself has just renewed it. */
  constructor(stream: StreamClient, lifetime: Lifetime) {
    this.#stream = stream;
    this.#everyMs = lifetime.kind === "ttl" ? lifetime.ttlSeconds * 100 : Infinity;
  }

  /** Called as the read goes on. A stream that is gone by now is no concern of this: the read finds out by itself. */
  async goOn(): Promise<void> {
    const nowMs = Date.now();
    if (nowMs - this.#renewedAtMs < this.#everyMs) return;
    this.#renewedAtMs = nowMs;
    // To read nothing is a read too.
    await this.#stream.call((stub) => stub.read({ from: { kind: "now" }, ifNoneMatch: null, paging: "bytes" }));
  }
}
