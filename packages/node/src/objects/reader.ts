/** A live reader: in one process, both the object's end and the edge's end of the channel. */

import { CLOSE_GONE, decodeFrame, type LiveFrame } from "@durable-streams-cloudflare/core/contracts/live-frame";
import type { ReaderSocket } from "@durable-streams-cloudflare/core/stream/read/live-readers";
import type { ReaderChannel, ReaderEvents } from "@durable-streams-cloudflare/http/ports";

/** What the instance that uses the reader does to it. */
export interface Gate {
  /** Does it when everything written so far is durable, in order. @param onLost instead, when that is lost. */
  emit(work: () => void, onLost: () => void): void;
}

/** Frames that came before the edge listens; more than a moment's worth means that it never will. */
const EARLY_MAX = 1_000;

export class Reader implements ReaderSocket, ReaderChannel {
  /** Of the instance that uses it now. */
  gate: Gate;
  readonly #onLeft: (reader: Reader) => void;
  #position: number;
  #events: ReaderEvents | undefined;
  #early: LiveFrame[] = [];
  #ended: "gone" | "lost" | undefined;
  #isOpen = true;

  /** @param onLeft when the reader has let go. */
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

  /** By the object with a code, by the edge without. */
  close(code?: number): void {
    if (code === undefined) return this.#leave();
    const reason = code === CLOSE_GONE ? "gone" : "lost";
    this.gate.emit(
      () => this.#end(reason),
      () => this.#end("lost"),
    );
  }

  send(message: ArrayBuffer): void {
    const frame = decodeFrame(message);
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
