/**
 * Limits the bytes of request bodies that one isolate holds at a time. Each request has a limit of its own, but Cloudflare ends
 * an isolate that takes more than 128 MB, with all its requests. A body on its way to its object exists up to four times: as it
 * arrived, in its stored form, in the call, and in the object.
 */

import { refuse } from "@durable-streams-cloudflare/protocol";

/** One request's share of the buffered bytes. */
export interface Held {
  /** Counts more bytes. Returns `false` if the limit is reached: the caller must then drop them. */
  take(bytes: number): boolean;
  release(): void;
}

/** One isolate's count of buffered body bytes. */
export class HeldBytes {
  readonly #bytesMax: number;
  #bytes = 0;

  /** @param bytesMax the setting `BODIES_BYTES_MAX`. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  open(): Held {
    let own = 0;
    return {
      take: (bytes) => {
        // What is alone is within its own limit.
        if (this.#bytes > own && this.#bytes + bytes > this.#bytesMax) return false;
        this.#bytes += bytes;
        own += bytes;
        return true;
      },
      release: () => {
        this.#bytes -= own;
        own = 0;
      },
    };
  }
}

/** The refusal of a body that exceeds the isolate's limit. */
export const SERVER_BUSY = refuse(
  "server-busy",
  "The server already holds as many bytes of request bodies as BODIES_BYTES_MAX allows.",
  {
    hint: "Retry a little later, or send smaller bodies.",
    headers: { "Retry-After": "1" },
  },
);
