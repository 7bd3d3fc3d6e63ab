/** The stored data of an object, whose waiting for the disk is recorded. */

import { ObjectStorage } from "../storage/object-storage.ts";
import type { Tracing } from "./tracing.ts";

export class TracedStorage extends ObjectStorage {
  readonly #tracing: Pick<Tracing, "child">;

  constructor(tracing: Pick<Tracing, "child">, ...own: ConstructorParameters<typeof ObjectStorage>) {
    super(...own);
    this.#tracing = tracing;
  }

  /** Requests that share a commit wait for the same one: it is recorded for the request that asked first. */
  override sync(): Promise<void> {
    return this.#tracing.child("commit", {}, () => super.sync());
  }
}
