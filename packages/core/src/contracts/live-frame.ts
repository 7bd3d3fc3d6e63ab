/**
 * What travels over the socket between a stream's object and the edge: one commit per binary message.
 * 18 bytes of header (version, flags, from, to: positions as big-endian doubles), then the stored bytes.
 *
 * A message of version 2 is the header alone: there is a commit, and its bytes are to be read. Only an edge that has asked for
 * such messages gets them. An older one would take it for a message that it cannot read, and attach again.
 */

const VERSION = 1;
const VERSION_OF_RANGE = 2;
const HEADER_BYTES = 18;
const FLAG_CLOSED = 1;

/** A commit; without bytes, the range of one. */
export interface LiveFrame {
  readonly from: number;
  readonly to: number;
  /** The stream is closed at `to`. */
  readonly closed: boolean;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Close codes of the socket, private to us [RFC 6455 §7.4.2]. */
export const CLOSE_BEHIND = 4000;
export const CLOSE_GONE = 4001;

export function encodeFrame(frame: LiveFrame): ArrayBuffer {
  const message = new Uint8Array(HEADER_BYTES + frame.bytes.length);
  const header = new DataView(message.buffer);
  header.setUint8(0, VERSION);
  header.setUint8(1, frame.closed ? FLAG_CLOSED : 0);
  header.setFloat64(2, frame.from);
  header.setFloat64(10, frame.to);
  message.set(frame.bytes, HEADER_BYTES);
  return message.buffer;
}

/** Encodes the range of a frame, without its bytes. */
export function encodeRange(frame: LiveFrame): ArrayBuffer {
  const message = encodeFrame({ ...frame, bytes: new Uint8Array() });
  new DataView(message).setUint8(0, VERSION_OF_RANGE);
  return message;
}

/** Whether a frame says only that there are bytes. */
export function isRange({ from, to, bytes }: LiveFrame): boolean {
  return from < to && bytes.length === 0;
}

/** @returns `undefined` for a message of another version. */
export function decodeFrame(message: ArrayBuffer): LiveFrame | undefined {
  const header = new DataView(message);
  if (message.byteLength < HEADER_BYTES) return undefined;
  const version = header.getUint8(0);
  if (version !== VERSION && version !== VERSION_OF_RANGE) return undefined;
  return {
    closed: (header.getUint8(1) & FLAG_CLOSED) !== 0,
    from: header.getFloat64(2),
    to: header.getFloat64(10),
    bytes: new Uint8Array(message, HEADER_BYTES),
  };
}
