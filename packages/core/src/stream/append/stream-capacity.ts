/** The limit of the bytes that one stream stores itself (the setting STREAM_BYTES_MAX). */

import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

import { storedBytes, type StreamState } from "../state.ts";

export class StreamCapacity {
  readonly #bytesMax: number;

  /** @param bytesMax 0: no limit. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax === 0 ? Infinity : bytesMax;
  }

  /** How many bytes may be added now. What retention has deleted counts no longer. */
  remainingOf(state: StreamState): number {
    return this.#bytesMax - storedBytes(state);
  }

  /** What an append is answered that the stream has no room for. @param bytes its size. */
  readonly refuse = (bytes: number): Refusal =>
    bytes > this.#bytesMax
      ? refuse("body-too-large", `The body has ${bytes} bytes, but a stream can have at most ${this.#bytesMax}.`, {
          hint: "Split it over several streams, or raise STREAM_BYTES_MAX.",
        })
      : refuse("stream-full", `The stream can store at most ${this.#bytesMax} bytes.`, {
          hint: "Continue in another stream, create streams with retention, or raise STREAM_BYTES_MAX.",
          headers: { "Retry-After": "60" },
        });

  /** What a creation is answered whose body is too large. */
  refuseFirst(bytes: number): Refusal | undefined {
    return bytes > this.#bytesMax ? this.refuse(bytes) : undefined;
  }
}
