/** Server-sent events [PROTOCOL §5.8], as text: the caller encodes and sends. */

import { problemBody, type Problem } from "./problem.ts";

const LINE_BREAK = /\r\n|\r|\n/;

/** What a `control` event says. Absent fields are left out of its JSON. */
export interface Control {
  readonly streamNextOffset: string;
  readonly streamCursor?: string;
  readonly upToDate?: true;
  readonly streamClosed?: true;
  /** An extension, for `EventSource`, which cannot see the header: text whose data events are base64. */
  readonly streamSseDataEncoding?: "base64";
}

/**
 * A `data` event, whose payload may come in parts. Each line of the payload becomes one `data:` line, so no payload can
 * forge an event. A line that begins with a space gets a second one, because parsers strip the first. SSE itself cannot
 * carry a carriage return: CR and CRLF arrive as LF (the other read modes are exact).
 */
export class DataEvent {
  #text = "event: data\ndata:";
  #isLineStart = true;
  #endsInReturn: boolean;

  /** @param afterReturn the data before this event ended in a CR: an LF at the beginning of this one belongs to it. */
  constructor(afterReturn = false) {
    this.#endsInReturn = afterReturn;
  }

  /** @returns what to send now. */
  add(part: string): string {
    const sent = this.#text;
    this.#text = "";
    // A CRLF that was cut is one line break.
    const text = this.#endsInReturn && part.startsWith("\n") ? part.slice(1) : part;
    if (part !== "") this.#endsInReturn = part.endsWith("\r");
    // Most payloads are one line; the split is only paid by those that are not.
    if (!text.includes("\n") && !text.includes("\r")) return sent + this.#inLine(text);
    const [first = "", ...others] = text.split(LINE_BREAK);
    let lines = sent + this.#inLine(first);
    for (const line of others) {
      this.#isLineStart = true;
      lines += `\ndata:${this.#inLine(line)}`;
    }
    return lines;
  }

  /**
   * @param offset where the data ends: a reconnecting `EventSource` says it in `Last-Event-ID`. It stands at the end, so
   * that no parser takes it for seen before it has the data.
   * @returns the last of the event.
   */
  end(offset: string): string {
    return `${this.#text}\nid: ${offset}\n\n`;
  }

  #inLine(text: string): string {
    if (text === "") return "";
    const isStart = this.#isLineStart;
    this.#isLineStart = false;
    return isStart && text.startsWith(" ") ? ` ${text}` : text;
  }
}

/** A `data` event with its whole payload. */
export function dataEvent(payload: string, offset: string): string {
  const event = new DataEvent();
  return event.add(payload) + event.end(offset);
}

/**
 * A `control` event behind data, whose id it shares. No space after `data:`, and nothing behind the JSON, which is how existing
 * readers match it.
 */
export function controlEvent(control: Control): string {
  return `event: control\ndata:${JSON.stringify(control)}\n\n`;
}

/** A `control` event without data before it, which has to say by itself where an `EventSource` goes on. */
export function loneControlEvent(control: Control): string {
  return `id: ${control.streamNextOffset}\n${controlEvent(control)}`;
}

/** Why the response ends here: what the body of a refused request would say. Official clients skip unknown events. */
export function problemEvent(problem: Problem): string {
  return `event: problem\ndata:${JSON.stringify(problemBody(problem))}\n\n`;
}

/** A comment that keeps intermediaries from closing an idle connection; clients ignore it. */
export const HEARTBEAT = ": hb\n\n";
