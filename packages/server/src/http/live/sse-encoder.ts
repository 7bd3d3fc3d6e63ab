/** From stored bytes to events [PROTOCOL §5.8]: `data` and `control` of one batch in one piece, unless it is large. */

import {
  controlEvent,
  DataEvent,
  framingOf,
  isTextual,
  mediaType,
  nextCursor,
  offsetAt,
  type Control,
  type Lineage,
} from "@durable-streams-cloudflare/protocol";

import { concatBytes } from "../../storage/bytes.ts";
import { toBody } from "../codec/payload.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const HELD_BYTES_MAX = 64 * 1024;

const EMPTY: Bytes = new Uint8Array();

const encoder = new TextEncoder();

export interface Standing {
  readonly position: number;
  readonly upToDate: boolean;
  readonly closed: boolean;
}

/** The events of the newest commit that any reader of this isolate was sent, for the others who get the same. */
let newest: { readonly key: string; readonly events: Uint8Array } | undefined;

export class SseEncoder {
  readonly #contentType: string;
  readonly #lineage: Lineage;
  readonly #clientCursor: string | null;
  readonly #isUtf8Text: boolean;
  /** Text that ends inside a character: it waits for the append that brings the rest. */
  #held: Bytes = EMPTY;
  /** The event that a part has begun and none has ended. */
  #event: DataEvent | undefined;
  readonly #utf8 = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
  /** Bytes of an event's parts that make no whole group of base64 yet. */
  #ungrouped: Bytes = EMPTY;

  constructor(stream: { contentType: string; lineage: Lineage }, clientCursor: string | null) {
    this.#contentType = stream.contentType;
    this.#isUtf8Text = mediaType(stream.contentType).startsWith("text/") && isUtf8(stream.contentType);
    this.#lineage = stream.lineage;
    this.#clientCursor = clientCursor;
  }

  /**
   * The events of one batch.
   * @param bytes stored bytes that end where an append does.
   * @returns `undefined` when the batch ends inside a UTF-8 character. It is then sent with the next one: a `control`
   * here would let a client resume between the halves.
   */
  batch(bytes: Bytes, standing: Standing): Uint8Array | undefined {
    const whole = joined(this.#held, bytes);
    if (whole.length === 0) return this.control(standing);
    if (!standing.closed && this.#mayBeHeld(bytes, whole) && endsInsideCharacter(whole)) {
      this.#held = whole;
      return undefined;
    }
    return this.part(bytes, standing);
  }

  /**
   * The events of one commit. All readers of a stream get it at the same time, so the first one encodes it for all.
   * @param streamName the stream's, unlike any other's.
   * @param from where the commit begins: together with where it ends it says which bytes it has.
   */
  commit(streamName: string, from: number, bytes: Bytes, standing: Standing): Uint8Array | undefined {
    if (this.#isInside()) return this.batch(bytes, standing);
    const end = offsetAt(this.#lineage, standing.position);
    const key = `${streamName} ${from} ${end} ${standing.closed} ${nextCursor(Date.now(), this.#clientCursor)}`;
    if (newest?.key === key) return newest.events;
    const events = this.batch(bytes, standing);
    if (events !== undefined) newest = { key, events };
    return events;
  }

  /** Something of what was sent before is still to come: what is sent next depends on it. */
  #isInside(): boolean {
    return this.#held.length > 0 || this.#ungrouped.length > 0 || this.#event !== undefined;
  }

  /**
   * Some of a batch that is too large for one piece.
   * @param standing given with the last part only: it ends the event, and adds the `control`.
   */
  part(bytes: Bytes, standing?: Standing): Uint8Array {
    const isFirst = this.#event === undefined;
    const event = this.#event ?? new DataEvent();
    const text = event.add(this.#payload(joined(this.#held, bytes), isFirst, standing !== undefined));
    this.#held = EMPTY;
    this.#event = standing === undefined ? event : undefined;
    return encoder.encode(standing === undefined ? text : text + event.end() + this.#controlText(standing));
  }

  /** A `control` alone: at the beginning of a session, or when the stream closed without data. */
  control(standing: Standing): Uint8Array {
    return encoder.encode(this.#controlText(standing));
  }

  /** Not text of another encoding, which ends like that all the time; and never more than a little. */
  #mayBeHeld(bytes: Bytes, whole: Bytes): boolean {
    const goesOn = this.#held.length === 0 || isContinuation(bytes[0] ?? 0);
    return this.#isUtf8Text && goesOn && whole.length <= HELD_BYTES_MAX;
  }

  #payload(bytes: Bytes, isFirst: boolean, isLast: boolean): string {
    if (!isTextual(this.#contentType)) return this.#base64(bytes, isLast);
    return this.#utf8.decode(toBody(bytes, framingOf(this.#contentType), isFirst, isLast), { stream: !isLast });
  }

  #base64(bytes: Bytes, isLast: boolean): string {
    const whole = joined(this.#ungrouped, bytes);
    const end = isLast ? whole.length : whole.length - (whole.length % 3);
    this.#ungrouped = whole.slice(end);
    return whole.subarray(0, end).toBase64();
  }

  #controlText(standing: Standing): string {
    const streamNextOffset = offsetAt(this.#lineage, standing.position);
    const control: Control = standing.closed
      ? { streamNextOffset, upToDate: true, streamClosed: true }
      : {
          streamNextOffset,
          streamCursor: nextCursor(Date.now(), this.#clientCursor),
          ...(standing.upToDate ? { upToDate: true } : {}),
        };
    return controlEvent(control);
  }
}

/** Text is UTF-8 unless its type says otherwise. */
function isUtf8(contentType: string): boolean {
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(contentType)?.[1];
  return charset === undefined || /^utf-?8$/i.test(charset);
}

function isContinuation(byte: number): boolean {
  return byte >= 0x80 && byte < 0xc0;
}

/** Whether the last bytes begin a UTF-8 character that is not complete. Bytes that no character has do not count. */
function endsInsideCharacter(bytes: Bytes): boolean {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return false;
    if (byte >= 0xc0) return back < characterLength(byte);
  }
  return false;
}

function characterLength(firstByte: number): number {
  if (firstByte >= 0xf5) return 1;
  if (firstByte >= 0xf0) return 4;
  return firstByte >= 0xe0 ? 3 : 2;
}

function joined(a: Bytes, b: Bytes): Bytes {
  return a.length === 0 ? b : concatBytes([a, b]);
}
