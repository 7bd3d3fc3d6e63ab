/** How the edge calls one stream's object: it gets stubs, retries, and measures the calls. */

import { liveReadersMax } from "@durable-streams-cloudflare/core/contracts/project-record";
import type { ReaderAdmission, ReaderBudget } from "@durable-streams-cloudflare/core/contracts/reader-slots";
import type { StreamApi } from "@durable-streams-cloudflare/core/contracts/stream";
import { callOnce, retryRpc, type CallOptions } from "@durable-streams-cloudflare/core/kit/retry-rpc";
import type { Lineage, OffsetRef, Result } from "@durable-streams-cloudflare/protocol";

import type { Granted } from "../auth/authorize.ts";
import { refuseToken } from "../auth/token.ts";
import type { Attachment, StreamObjects } from "../ports.ts";

/** The edge's client of one stream, for one request. */
export class StreamClient {
  readonly #objects: StreamObjects;
  readonly incarnation: number | undefined;
  readonly objectName: string;
  /** The time spent waiting for the object so far, in ms. */
  objectMs = 0;

  /** @param incarnation the only incarnation of the stream that the client may read; without it, any. */
  constructor(objects: StreamObjects, objectName: string, incarnation?: number) {
    this.incarnation = incarnation;
    this.#objects = objects;
    this.objectName = objectName;
  }

  /** The client of another stream, which holds bytes of this fork. */
  of(objectName: string): StreamClient {
    return objectName === this.objectName ? this : new StreamClient(this.#objects, objectName);
  }

  /** Calls the object, with retries. A stub that has failed cannot be used again, so each attempt gets a new one. */
  async call<Value>(
    invoke: (stub: StreamApi, repeatedAfterMs?: number) => Promise<Result<Value>>,
    options?: CallOptions,
  ): Promise<Result<Value>> {
    const startedAt = performance.now();
    try {
      const result = await retryRpc(
        (repeatedAfterMs) => invoke(this.#objects.getByName(this.objectName), repeatedAfterMs),
        options,
      );
      return this.#isOfAnotherIncarnation(result) ? refuseToken() : result;
    } finally {
      this.objectMs += performance.now() - startedAt;
    }
  }

  /**
   * Attaches a live reader.
   * @param granted what the reader was granted, which decides the quota that its slot is leased from.
   */
  async attach(from: OffsetRef, granted: Pick<Granted, "limits" | "budget">): Promise<Attachment> {
    const budget: ReaderBudget = granted.budget ?? "tokens";
    const isLimited = liveReadersMax(granted.limits, budget) !== null;
    const admission: ReaderAdmission = { budget, isLimited, takesRanges: true };
    const attached = await this.call(() => this.#objects.attach(this.objectName, from, admission));
    if (!attached.ok || !this.#isOfAnotherIncarnation(attached.result)) return attached;
    attached.channel?.close();
    return refuseToken();
  }

  /** Deletes the stream if its stored data is damaged, and leaves it alone otherwise. */
  async discard(): Promise<Result<{ readonly wasDamaged: boolean }>> {
    const discard = (isEmptied: boolean): Promise<Result<{ readonly wasDamaged: boolean }>> =>
      callOnce(() => this.#objects.getByName(this.objectName).discard(isEmptied));
    try {
      return await discard(false);
    } catch (error) {
      // An object that cannot open its database does not start.
      if ((await this.#objects.removeDamaged?.(this.objectName)) !== true) throw error;
      return discard(true);
    }
  }

  /** Every answer about a stream that a reader gets to see names the incarnation. */
  #isOfAnotherIncarnation(result: object): boolean {
    if (this.incarnation === undefined || !("lineage" in result)) return false;
    return (result.lineage as Lineage).incarnation !== this.incarnation;
  }
}
