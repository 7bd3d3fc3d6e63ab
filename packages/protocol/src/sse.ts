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
 * A `data` event. Each line of the payload becomes one `data:` line, so no payload can forge an event. A line that
 * begins with a space gets a second one, because parsers strip the first. SSE itself cannot carry a carriage
 * return: CR and CRLF arrive as LF (the other read modes are exact).
 */
export function dataEvent(payload: string): string {
  // Most payloads are one line; the split is only paid by those that are not.
  if (!payload.includes("\n") && !payload.includes("\r")) return `event: data\n${dataLine(payload)}\n`;
  return `event: data\n${payload.split(LINE_BREAK).map(dataLine).join("")}\n`;
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

function dataLine(line: string): string {
  return line.startsWith(" ") ? `data: ${line}\n` : `data:${line}\n`;
}
