/**
 * Encodes stored JSON as events: pairs of `data`, an array of whole messages in one line, and `control`, which names where the
 * last of them ends. Line breaks between messages would keep lines short as well, but then a reader does not get the text that
 * was stored, and a reader that is cut off begins the append again.
 */

import { concatBytes } from "@durable-streams-cloudflare/core/kit/bytes";
import {
  controlEvent,
  DataEvent,
  LINE_BYTES_MAX,
  MessageGroups,
  type Control,
} from "@durable-streams-cloudflare/protocol";

type Bytes = Uint8Array<ArrayBuffer>;

const EMPTY: Bytes = new Uint8Array();

/** The events of one session, whose bytes come in chunks that may end anywhere. */
export class JsonEvents {
  readonly #groups = new MessageGroups();
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  /** The beginning of a message that fits into a line so far. */
  #held: Bytes = EMPTY;
  /** The event of one message that does not fit into a line, and has not ended yet. */
  #event: DataEvent | undefined;

  /** An event has begun and not ended: nothing else may be sent. */
  get isInEvent(): boolean {
    return this.#event !== undefined;
  }

  /** A message has begun and not ended. */
  get isInMessage(): boolean {
    return this.isInEvent || this.#held.length > 0;
  }

  /**
   * @param isEnd whether an append ends where the chunk does.
   * @param controlAt what to say of a place in the chunk, which is given in bytes from its beginning.
   * @returns the events to send now, and the beginning of one if a message is too long to wait for its end.
   */
  add(chunk: Bytes, isEnd: boolean, controlAt: (end: number) => Control): string {
    // Nearly always whole appends come, and are short.
    const isGroup = isEnd && chunk.length <= LINE_BYTES_MAX && !this.isInMessage;
    let events = "";
    let start = 0;
    for (const end of isGroup ? [chunk.length] : this.#groups.endsIn(chunk)) {
      events += this.#endEvent(chunk.subarray(start, end), controlAt(end));
      start = end;
    }
    return start === chunk.length ? events : events + this.#hold(chunk.subarray(start));
  }

  /** Each stored message has a comma behind it, of which the last is the array's end. */
  #endEvent(bytes: Bytes, control: Control): string {
    const { begin, event } = this.#begun();
    const text = `${begin}${this.#utf8.decode(this.#withHeld(bytes).subarray(0, -1))}]`;
    this.#event = undefined;
    return event.add(text) + event.end(control.streamNextOffset) + controlEvent(control);
  }

  #hold(bytes: Bytes): string {
    const whole = this.#withHeld(bytes);
    if (this.#event === undefined && whole.length <= LINE_BYTES_MAX) {
      // Not a view, which would hold on to the whole page.
      this.#held = whole.slice();
      return "";
    }
    const { begin, event } = this.#begun();
    this.#event = event;
    return event.add(begin + this.#utf8.decode(whole, { stream: true }));
  }

  #begun(): { readonly begin: "" | "["; readonly event: DataEvent } {
    return this.#event === undefined ? { begin: "[", event: new DataEvent() } : { begin: "", event: this.#event };
  }

  #withHeld(bytes: Bytes): Bytes {
    const held = this.#held;
    this.#held = EMPTY;
    return held.length === 0 ? bytes : concatBytes([held, bytes]);
  }
}
