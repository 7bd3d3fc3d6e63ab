/**
 * Follows a stream by SSE to its close, as a client does: when a response ends, the next one goes on from the last
 * `control`. Each chunk of a response must hold only whole batches (a `data` with its `control`, or a `control` alone)
 * and comments.
 */
import { openChunked, type ChunkedResponse } from "./chunked-response.ts";
import type { ControlEvent } from "./event-stream.ts";

const BATCH =
  /(?:event: data\n(?<data>(?:data:.*\n)+)id: .*\n\n|id: .*\n)event: control\ndata:(?<control>\{.*\})\n\n|:.*\n\n/y;

export interface Batch {
  /** `undefined` when the `control` came alone. */
  readonly payload: string | undefined;
  readonly control: ControlEvent;
}

export class SseFollower {
  readonly #streamUrl: string;
  #offset: string;
  #response: ChunkedResponse | undefined;
  /** Responses that were opened. */
  responses = 0;

  constructor(streamUrl: string, offset: string) {
    this.#streamUrl = streamUrl;
    this.#offset = offset;
  }

  /** Opens the first response; nothing of it is read yet. */
  async open(): Promise<this> {
    this.#response = await openChunked(`${this.#streamUrl}?offset=${this.#offset}&live=sse`);
    if (this.#response.status !== 200) throw new Error(`GET ${this.#streamUrl} was ${this.#response.status}`);
    this.responses += 1;
    return this;
  }

  /** What comes, until the stream is closed. */
  async *batches(): AsyncGenerator<Batch> {
    for (;;) {
      if (this.#response === undefined) await this.open();
      for await (const chunk of this.#response?.chunks ?? []) {
        for (const batch of parseChunk(chunk.toString())) {
          this.#offset = batch.control.streamNextOffset;
          yield batch;
          if (batch.control.streamClosed === true) return;
        }
      }
      this.#response = undefined;
    }
  }

  destroy(): void {
    this.#response?.destroy();
  }
}

/** @throws Error when a chunk ends, or begins, inside a batch. */
function parseChunk(chunk: string): Batch[] {
  const batches: Batch[] = [];
  for (let at = 0; at < chunk.length; at = BATCH.lastIndex) {
    BATCH.lastIndex = at;
    const match = BATCH.exec(chunk);
    if (match === null) throw new Error(`a chunk is not whole: ${JSON.stringify(chunk.slice(at, at + 200))}`);
    const { data, control } = match.groups ?? {};
    if (control === undefined) continue;
    batches.push({ payload: payloadOf(data), control: JSON.parse(control) as ControlEvent });
  }
  return batches;
}

function payloadOf(dataLines: string | undefined): string | undefined {
  const lines = dataLines?.slice(0, -1).split("\n");
  return lines?.map((line) => line.slice("data:".length).replace(/^ /, "")).join("\n");
}
