/** A live reader: in one process, both the object's end and the edge's end of the channel. */

import { CLOSE_GONE, decodeFrame, type LiveFrame } from "@durable-streams-cloudflare/core/contracts/live-frame";
import type { ReaderSocket } from "@durable-streams-cloudflare/core/stream/read/live-readers";
import type { ReaderChannel, ReaderEvents } from "@durable-streams-cloudflare/http/ports";

/** The output gate of the instance that uses a reader. */
export interface Gate {
  /**
   * Runs `work` when everything written so far is durable, in the order of the calls.
   * @param onLost runs instead if something written was lost.
   */
  emit(work: () => void, onLost: () => void): void;
}

/** Frames that came before the edge listens; more than a moment's worth means that it never will. */
const EARLY_MAX = 1_000;

/** The message that was decoded last: all readers of a stream are sent the same one, one after the other. */
let newest: { readonly message: ArrayBuffer; readonly frame: LiveFrame | undefined } | undefined;

function decodedOnce(message: ArrayBuffer): LiveFrame | undefined {
  if (newest?.message !== message) newest = { message, frame: decodeFrame(message) };
  return newest.frame;
}

/** A live reader of one stream. */
export class Reader implements ReaderSocket, ReaderChannel {
  /** The gate of the instance that uses the reader now. */
  gate: Gate;
  readonly #onLeft: (reader: Reader) => void;
  #position: number;
  #events: ReaderEvents | undefined;
  #early: LiveFrame[] = [];
  #ended: "gone" | "lost" | undefined;
  #isOpen = true;

  /** @param onLeft called once, when the edge closes the channel. */
  constructor(position: number, gate: Gate, onLeft: (reader: Reader) => void) {
    this.#position = position;
    this.gate = gate;
    this.#onLeft = onLeft;
  }

  listen(events: ReaderEvents): void {
    this.#events = events;
    for (const frame of this.#early.splice(0)) events.onFrame(frame);
    if (this.#ended !== undefined) events.onEnd(this.#ended);
  }

  /** Closes the channel. The object passes a close code; the edge passes none. */
  close(code?: number): void {
    if (code === undefined) return this.#leave();
    const reason = code === CLOSE_GONE ? "gone" : "lost";
    this.gate.emit(
      () => this.#end(reason),
      () => this.#end("lost"),
    );
  }

  send(message: ArrayBuffer): void {
    const frame = decodedOnce(message);
    if (frame === undefined) return this.close(0);
    this.gate.emit(
      () => this.#pass(frame),
      () => this.#end("lost"),
    );
  }

  serializeAttachment(position: number): void {
    this.#position = position;
  }

  deserializeAttachment(): number {
    return this.#position;
  }

  #pass(frame: LiveFrame): void {
    if (!this.#isOpen) return;
    if (this.#events !== undefined) return this.#events.onFrame(frame);
    this.#early.push(frame);
    if (this.#early.length > EARLY_MAX) this.#end("lost");
  }

  #end(reason: "gone" | "lost"): void {
    if (!this.#isOpen) return;
    this.#leave();
    this.#ended = reason;
    this.#events?.onEnd(reason);
  }

  #leave(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#onLeft(this);
  }
}
