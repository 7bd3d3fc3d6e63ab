/**
 * What travels over the socket between a stream's object and the edge: one commit per binary message.
 * 18 bytes of header (version, flags, from, to: positions as big-endian doubles), then the stored bytes.
 */

const VERSION = 1;
const HEADER_BYTES = 18;
const FLAG_CLOSED = 1;

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

/** @returns `undefined` for a message of another version. */
export function decodeFrame(message: ArrayBuffer): LiveFrame | undefined {
  const header = new DataView(message);
  if (message.byteLength < HEADER_BYTES || header.getUint8(0) !== VERSION) return undefined;
  return {
    closed: (header.getUint8(1) & FLAG_CLOSED) !== 0,
    from: header.getFloat64(2),
    to: header.getFloat64(10),
    bytes: new Uint8Array(message, HEADER_BYTES),
  };
}
