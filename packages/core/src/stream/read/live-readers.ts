/**
 * The sockets of live readers, from the edge to this object. They hibernate: between commits the object may leave memory while
 * they stay open. So each reader's position is kept in its socket's attachment, and a commit is sent only to sockets whose
 * position is exactly where the commit begins. Any other socket is closed as "behind": its reader catches up by reading, and
 * attaches again. So live delivery cannot overtake catch-up, and nothing is sent twice.
 */

import { CLOSE_BEHIND, CLOSE_GONE, encodeFrame, encodeRange, type LiveFrame } from "../../contracts/live-frame.ts";
import type { ReaderBudget } from "../../contracts/reader-slots.ts";

/** Bytes of one commit to all sockets together. Of a larger one they are sent the range, which their edges then read. */
const FANOUT_BYTES_MAX = 32 * 1024 * 1024;
/** Bytes that one socket may have unsent, and of one commit that is sent to it. */
const SOCKET_BYTES_MAX = 4 * 1024 * 1024;

/** The part of a hibernatable WebSocket that is used here. */
export interface ReaderSocket {
  send(message: ArrayBuffer): void;
  close(code: number, reason: string): void;
  serializeAttachment(position: number): void;
  deserializeAttachment(): unknown;
  readonly bufferedAmount?: number;
}

/** The sockets that there are: all of them, those of public readers, or those whose edges can read ranges. */
export type SocketList = (of?: "public" | "ranges") => readonly ReaderSocket[];

export class LiveReaders {
  readonly #sockets: SocketList;
  /** No fewer than there are. To count all sockets for each new one would make a rush of readers quadratic. */
  readonly #countAtMost = { all: Infinity, tokens: Infinity, public: Infinity };

  constructor(sockets: SocketList) {
    this.#sockets = sockets;
  }

  /** How many readers wait. @param of only those of one kind. */
  count(of: ReaderBudget | "all" = "all"): number {
    if (of === "public") return this.#sockets("public").length;
    const all = this.#sockets().length;
    return of === "all" ? all : all - this.count("public");
  }

  /** Whether there is a slot for one more reader, among all or among those of one kind. */
  hasSlot(of: ReaderBudget | "all", readersMax: number): boolean {
    if (this.#countAtMost[of] >= readersMax) this.#countAtMost[of] = this.count(of);
    return this.#countAtMost[of] < readersMax;
  }

  /** A reader has taken a slot. */
  take(of: ReaderBudget): void {
    this.#countAtMost.all += 1;
    this.#countAtMost[of] += 1;
  }

  /** Sends a commit, or if it is too large its range, to every reader that stands at its start. */
  broadcast(frame: LiveFrame): void {
    const sockets = this.#sockets();
    if (sockets.length === 0) return;
    const size = frame.bytes.length;
    const fits = size <= SOCKET_BYTES_MAX && size * sockets.length <= FANOUT_BYTES_MAX;
    const message = fits ? encodeFrame(frame) : encodeRange(frame);
    const able = fits ? undefined : new Set(this.#sockets("ranges"));
    for (const socket of sockets) {
      const current = socket.deserializeAttachment() === frame.from && (socket.bufferedAmount ?? 0) <= SOCKET_BYTES_MAX;
      if (current && able?.has(socket) !== false) deliver(socket, message, frame.to);
      else close(socket, CLOSE_BEHIND, "behind");
    }
  }

  /** Turns away readers that an earlier instance of this object left behind the tail. */
  sweep(tail: number): void {
    for (const socket of this.#sockets()) {
      if (socket.deserializeAttachment() !== tail) close(socket, CLOSE_BEHIND, "behind");
    }
  }

  /** Ends all readers: the stream is gone. */
  endAll(): void {
    for (const socket of this.#sockets()) close(socket, CLOSE_GONE, "gone");
  }
}

function deliver(socket: ReaderSocket, message: ArrayBuffer, position: number): void {
  try {
    socket.send(message);
    socket.serializeAttachment(position);
  } catch {
    // The peer went away between our look and the send; its reader reconnects by itself.
    close(socket, CLOSE_BEHIND, "behind");
  }
}

function close(socket: ReaderSocket, code: number, reason: string): void {
  try {
    socket.close(code, reason);
  } catch {
    // Already closed by the peer: nothing is left to end.
  }
}
