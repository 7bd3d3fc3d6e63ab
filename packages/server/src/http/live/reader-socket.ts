/** The edge's end of a live reader's socket: typed frames and one ending, instead of events. */

import { CLOSE_GONE, decodeFrame, type LiveFrame } from "../../stream/live-frame.ts";

export interface ReaderSocketEvents {
  onFrame(frame: LiveFrame): void;
  /** `gone`: the stream was deleted or expired. `lost`: anything else; read on and attach again. */
  onEnd(reason: "gone" | "lost"): void;
}

export interface ReaderSocket {
  /** Lets go of the socket; no event comes after this. */
  close(): void;
}

/** Begins to deliver. Frames that came since the object attached the socket are delivered first. */
export function listen(socket: WebSocket, events: ReaderSocketEvents): ReaderSocket {
  let isOpen = true;
  const end = (reason: "gone" | "lost"): void => {
    if (!isOpen) return;
    isOpen = false;
    events.onEnd(reason);
  };
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    socket.close(1000, "done");
  };
  socket.binaryType = "arraybuffer";
  socket.addEventListener("message", ({ data }) => {
    if (!isOpen || !(data instanceof ArrayBuffer)) return;
    const frame = decodeFrame(data);
    if (frame !== undefined) return events.onFrame(frame);
    // Of another version of us, while a deploy is under way.
    socket.close(1000, "unreadable");
    end("lost");
  });
  socket.addEventListener("close", ({ code }) => end(code === CLOSE_GONE ? "gone" : "lost"));
  socket.addEventListener("error", () => end("lost"));
  socket.accept();
  return { close };
}
