/**
 * Encodes stored bytes as events [PROTOCOL §5.8]: `data` and `control` of one batch in one write, unless the batch is large.
 */

import { toBase64 } from "@durable-streams-cloudflare/core/kit/bytes";
import { concatBytes } from "@durable-streams-cloudflare/core/kit/bytes";
import {
  base64Lines,
  controlEvent,
  loneControlEvent,
  DataEvent,
  hasLongLine,
  isTextual,
  LINE_BYTES_MAX,
  nextCursor,
  offsetAt,
  type Control,
  type Lineage,
} from "@durable-streams-cloudflare/protocol";

import { JsonEvents } from "./json-events.ts";
import type { KeptFrame } from "./recent-frames.ts";
import { CARRIAGE_RETURN, decodeText, endsLines, type SseForm } from "./sse-form.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const HELD_BYTES_MAX = 64 * 1024;
/** In so many ways one frame is kept encoded: readers may have different cursors. */
const FORMS_MAX = 8;

const EMPTY: Bytes = new Uint8Array();

const encoder = new TextEncoder();

/** What a `control` event says about the stream after a batch. */
export interface StreamStatus {
  readonly position: number;
  readonly upToDate: boolean;
  readonly closed: boolean;
}

/** The events to send; `undefined` if there are none yet; `NOT_ENCODABLE` if this session's form cannot represent the batch. */
export type Encoded = Uint8Array | undefined | typeof NOT_ENCODABLE;

/** Stands for a batch that the session's form cannot represent. */
export const NOT_ENCODABLE = "not encodable";

/** The encoder of one session, with a fixed form. */
export class SseEncoder {
  readonly #contentType: string;
  readonly #lineage: Lineage;
  readonly #clientCursor: string | null;
  readonly #form: SseForm;
  /** What the encoded form of a frame depends on besides the frame. */
  readonly #key: string;
  readonly #keyAtTail: string;
  /** Text that ends inside a character: it waits for the append with the rest. */
  #held: Bytes = EMPTY;
  /** The text before ended in a CR: of a CRLF that two appends cut only one line break arrives. */
  #endsInReturn = false;
  /** The event that a part has begun and none has ended, and what of it decides about the next part. */
  #event: DataEvent | undefined;
  readonly #json = new JsonEvents();
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  /** Bytes of an event's parts that make no whole group of base64 yet. */
  #ungrouped: Bytes = EMPTY;

  constructor(stream: { contentType: string; lineage: Lineage }, form: SseForm, clientCursor: string | null) {
    this.#contentType = stream.contentType;
    this.#lineage = stream.lineage;
    this.#form = form;
    this.#clientCursor = clientCursor;
    this.#key = `${form} ${clientCursor}`;
    this.#keyAtTail = `${this.#key} at the tail`;
  }

  /** An event has begun and not ended: nothing else may be sent. */
  get isInEvent(): boolean {
    return this.#event !== undefined || this.#json.isInEvent;
  }

  /**
   * Encodes one batch, or what is left of one that has come in parts.
   * @param bytes stored bytes that end at the end of an append.
   * @returns `undefined` if the batch ends inside a UTF-8 character. It is then sent with the next batch, because a `control`
   *   event here would let a client resume inside the character.
   */
  batch(bytes: Bytes, status: StreamStatus): Encoded {
    if (this.#event !== undefined) return this.#part(bytes, status);
    if (this.#form === "text") return this.#textBatch(joined(this.#held, bytes), status);
    if (bytes.length === 0) return this.control(status);
    return this.#form === "json" ? this.#jsonEvents(bytes, status, true) : this.#part(bytes, status);
  }

  /**
   * Encodes one frame. All readers of a stream receive a frame at the same time, so the first one encodes it for all.
   * @param frame keeps what was encoded of it.
   */
  frame({ bytes, events }: KeptFrame, status: StreamStatus): Encoded {
    if (events === undefined || this.#dependsOnBefore()) return this.batch(bytes, status);
    const key = status.upToDate ? this.#keyAtTail : this.#key;
    const known = events.get(key);
    if (known !== undefined) return known;
    const encoded = this.batch(bytes, status);
    // What is kept for others must not leave anything to remember.
    if (typeof encoded !== "object" || this.#dependsOnBefore()) return encoded;
    if (events.size < FORMS_MAX) events.set(key, encoded);
    return encoded;
  }

  /**
   * Whether a commit should be read again append by append, because its appends together would make a line that is too long.
   */
  isBetterRead(bytes: Bytes): boolean {
    return this.#form === "text" && bytes.length > LINE_BYTES_MAX && hasLongLine(bytes);
  }

  /** What is sent next depends on what was sent before. */
  #dependsOnBefore(): boolean {
    return this.#held.length > 0 || this.#ungrouped.length > 0 || this.isInEvent || this.#endsInReturn;
  }

  /**
   * Encodes a part of a batch that is too large for one write; `batch` encodes the last part.
   * @param position where the part ends.
   * @returns `undefined` if the part is the beginning of a message and no more: it is sent with the next part.
   */
  part(bytes: Bytes, position: number): Encoded {
    const status = { position, upToDate: false, closed: false };
    return this.#form === "json" ? this.#jsonEvents(bytes, status, false) : this.#part(bytes);
  }

  /** @param status passed with the last part only, which ends the `data` event and adds the `control` event. */
  #part(bytes: Bytes, status?: StreamStatus): Exclude<Encoded, undefined> {
    const isFirst = this.#event === undefined;
    const event = this.#event ?? new DataEvent(this.#endsInReturn);
    const isLast = status !== undefined;
    const payload = this.#form === "base64" ? this.#base64(bytes, isFirst, isLast) : this.#textPart(bytes, isLast);
    if (payload === undefined) return NOT_ENCODABLE;
    const text = event.add(payload);
    this.#event = isLast ? undefined : event;
    if (!isLast) return encoder.encode(text);
    return encoder.encode(
      text + event.end(offsetAt(this.#lineage, status.position)) + controlEvent(this.#control(status)),
    );
  }

  /** Only the last of the events says what is so at the end of the chunk, and only of an append's end. */
  #jsonEvents(chunk: Bytes, status: StreamStatus, isEnd: boolean): Uint8Array | undefined {
    const start = status.position - chunk.length;
    const before = { upToDate: false, closed: false };
    const events = this.#json.add(chunk, isEnd, (end) =>
      this.#control(end === chunk.length ? status : { ...before, position: start + end }),
    );
    return events === "" ? undefined : encoder.encode(events);
  }

  /** Encodes a `control` event without data: at the start of a session, or when the stream was closed without data. */
  control(status: StreamStatus): Uint8Array {
    return encoder.encode(loneControlEvent(this.#control(status)));
  }

  #textBatch(whole: Bytes, status: StreamStatus): Encoded {
    if (whole.length === 0) return this.control(status);
    const decoded = decodeText(whole, this.#contentType, status.closed);
    if (decoded === undefined) return NOT_ENCODABLE;
    const { text, cut } = decoded;
    if (cut > 0 && whole.length > HELD_BYTES_MAX) return NOT_ENCODABLE;
    this.#held = cut > 0 ? whole : EMPTY;
    if (cut > 0) return undefined;
    const event = new DataEvent(this.#endsInReturn);
    const sent = event.add(text) + event.end(offsetAt(this.#lineage, status.position));
    this.#endsInReturn = text.endsWith("\r");
    return encoder.encode(sent + controlEvent(this.#control(status)));
  }

  #textPart(bytes: Bytes, isLast: boolean): string | undefined {
    if (endsLines(bytes, this.#contentType)) return undefined;
    const whole = joined(this.#held, bytes);
    this.#held = EMPTY;
    this.#endsInReturn = whole.at(-1) === CARRIAGE_RETURN;
    try {
      return this.#utf8.decode(whole, { stream: !isLast });
    } catch {
      return undefined;
    }
  }

  #base64(bytes: Bytes, isFirst: boolean, isLast: boolean): string {
    const whole = joined(this.#ungrouped, bytes);
    const end = isLast ? whole.length : whole.length - (whole.length % 3);
    this.#ungrouped = whole.slice(end);
    const lines = base64Lines(toBase64(whole.subarray(0, end)));
    return isFirst || lines === "" ? lines : `\n${lines}`;
  }

  #control(status: StreamStatus): Control {
    const streamNextOffset = offsetAt(this.#lineage, status.position);
    const isEncodedText = this.#form === "base64" && isTextual(this.#contentType);
    const encoding = isEncodedText ? ({ streamSseDataEncoding: "base64" } as const) : {};
    return status.closed
      ? { streamNextOffset, upToDate: true, streamClosed: true, ...encoding }
      : {
          streamNextOffset,
          streamCursor: nextCursor(Date.now(), this.#clientCursor),
          ...(status.upToDate ? { upToDate: true } : {}),
          ...encoding,
        };
  }
}

function joined(a: Bytes, b: Bytes): Bytes {
  return a.length === 0 ? b : concatBytes([a, b]);
}
