/** Adapts the edge's end of a live reader's WebSocket to the channel port of `http`. */

import { CLOSE_GONE, decodeFrame } from "@durable-streams-cloudflare/core/contracts/live-frame";
import type { ReaderChannel, ReaderEvents } from "@durable-streams-cloudflare/http/ports";

/** @param socket not yet accepted: frames that arrive meanwhile wait in it. */
/** A live reader's channel over a WebSocket. */
export class SocketChannel implements ReaderChannel {
  readonly #socket: WebSocket;
  #isAccepted = false;
  #isOpen = true;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  listen(events: ReaderEvents): void {
    const socket = this.#socket;
    const end = (reason: "gone" | "lost"): void => {
      if (!this.#isOpen) return;
      this.#isOpen = false;
      events.onEnd(reason);
    };
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => {
      if (!this.#isOpen || !(data instanceof ArrayBuffer)) return;
      const frame = decodeFrame(data);
      if (frame !== undefined) return events.onFrame(frame);
      // Of another version of us, while a deploy is under way.
      socket.close(1000, "unreadable");
      end("lost");
    });
    socket.addEventListener("close", ({ code }) => end(code === CLOSE_GONE ? "gone" : "lost"));
    socket.addEventListener("error", () => end("lost"));
    this.#accept();
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#accept();
    this.#socket.close(1000, "done");
  }

  #accept(): void {
    if (!this.#isAccepted) this.#socket.accept();
    this.#isAccepted = true;
  }
}
