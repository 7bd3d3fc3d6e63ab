/** Server-sent events [PROTOCOL §5.8], as text: the caller encodes and sends. */

const LINE_BREAK = /\r\n|\r|\n/;

/** What a `control` event says. Absent fields are left out of its JSON. */
export interface Control {
  readonly streamNextOffset: string;
  readonly streamCursor?: string;
  readonly upToDate?: true;
  readonly streamClosed?: true;
}

/**
 * A `data` event, whose payload may come in parts. Each line of the payload becomes one `data:` line, so no payload can
 * forge an event. A line that begins with a space gets a second one, because parsers strip the first. SSE itself cannot
 * carry a carriage return: CR and CRLF arrive as LF (the other read modes are exact).
 */
export class DataEvent {
  #text = "event: data\ndata:";
  #isLineStart = true;
  #endsInReturn = false;

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

  /** @returns the last of the event. */
  end(): string {
    return `${this.#text}\n\n`;
  }

  #inLine(text: string): string {
    if (text === "") return "";
    const isStart = this.#isLineStart;
    this.#isLineStart = false;
    return isStart && text.startsWith(" ") ? ` ${text}` : text;
  }
}

/** A `data` event with its whole payload. */
export function dataEvent(payload: string): string {
  const event = new DataEvent();
  return event.add(payload) + event.end();
}

/** A `control` event. No space after `data:`, which is how existing readers match it. */
export function controlEvent(control: Control): string {
  return `event: control\ndata:${JSON.stringify(control)}\n\n`;
}

/** Why the response ends here. Official clients skip events that they do not know. */
export function problemEvent(problem: { readonly code: string; readonly detail: string }): string {
  return `event: problem\ndata:${JSON.stringify(problem)}\n\n`;
}

/** A comment that keeps intermediaries from closing an idle connection; clients ignore it. */
export const HEARTBEAT = ": hb\n\n";
