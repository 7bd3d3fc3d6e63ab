import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { controlEvent, DataEvent, dataEvent, HEARTBEAT, loneControlEvent, problemEvent, type Control } from "./sse.ts";

interface Event {
  readonly type: string;
  readonly data: string;
  readonly id: string;
}

/** The parser of the HTML standard, §9.2.6 "Interpreting an event stream". */
function parseEventStream(stream: string): Event[] {
  const events: Event[] = [];
  let [type, data, id] = ["", "", ""];
  const lines = stream.replace(/^\ufeff/, "").split(/\r\n|\n|\r/);
  for (const line of lines.slice(0, -1)) {
    if (line === "") {
      if (data !== "") events.push({ type: type || "message", data: data.slice(0, -1), id });
      [type, data] = ["", ""];
      continue;
    }
    const [, field = "", value = ""] = /^([^:]*)(?:: ?)?(.*)$/su.exec(line) ?? [];
    if (field === "event") type = value;
    if (field === "data") data += `${value}\n`;
    if (field === "id" && !value.includes("\0")) id = value;
  }
  return events;
}

const CONTROL: Control = { streamNextOffset: "0000000000000001_0000000000000002", streamCursor: "7", upToDate: true };

/** What SSE can carry: a line break is a line feed. */
function carried(payload: string): string {
  return payload.replace(/\r\n|\r/g, "\n");
}

const payload = fc.string({
  unit: fc.oneof(
    fc.constantFrom("\r", "\n", "\r\n", " ", ":", "data:", "event: control", "id: 1", "retry: 1", "\ufeff", "\u0000"),
    fc.constantFrom("\u2028", "\u0085", "é", "😀"),
    fc.string({ unit: "binary", minLength: 1, maxLength: 3 }),
  ),
});

describe("a data event", () => {
  it("[SS9] carries any payload to a conformant parser, and nothing else", () => {
    fc.assert(
      fc.property(payload, (text) => {
        const id = CONTROL.streamNextOffset;
        const stream = dataEvent(text, id) + controlEvent(CONTROL) + HEARTBEAT + dataEvent(text, "later");
        expect(parseEventStream(stream)).toEqual([
          { type: "data", data: carried(text), id },
          { type: "control", data: JSON.stringify(CONTROL), id },
          { type: "data", data: carried(text), id: "later" },
        ]);
      }),
    );
  });

  it("says the same wherever its payload is cut into parts", () => {
    fc.assert(
      fc.property(fc.array(payload), (parts) => {
        const event = new DataEvent();
        const sent = parts.map((part) => event.add(part)).join("") + event.end("o");
        expect(sent).toBe(dataEvent(parts.join(""), "o"));
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    ["nothing", "", ""],
    ["a leading space", " a", " a"],
    ["leading spaces on every line", "  a\n b\n", "  a\n b\n"],
    ["CR", "a\rb", "a\nb"],
    ["LF", "a\nb", "a\nb"],
    ["CRLF, which is one break", "a\r\nb", "a\nb"],
    ["CR at the end", "a\r", "a\n"],
    ["empty lines", "\n\n", "\n\n"],
    ["line separators that are none in SSE", "a\u2028b\u0085c", "a\u2028b\u0085c"],
    ["NUL", "\u0000", "\u0000"],
    ["a forged control event", "x\n\nevent: control\ndata:{}\n\n", "x\n\nevent: control\ndata:{}\n\n"],
    ["a forged id", "id: 1\nretry: 1", "id: 1\nretry: 1"],
  ])("carries %s", (_what, text, expected) => {
    expect(parseEventStream(dataEvent(text, "o"))).toEqual([{ type: "data", data: expected, id: "o" }]);
  });

  it("that follows a CR does not begin with the LF that belongs to it", () => {
    const event = new DataEvent(true);
    expect(parseEventStream(event.add("\nb") + event.end("o"))[0]?.data).toBe("b");
  });

  it("[EV3] has the offset that it ends at only after all of its data", () => {
    expect(dataEvent("a\nb", "o")).toBe("event: data\ndata:a\ndata:b\nid: o\n\n");
  });
});

describe("a control event", () => {
  it("[SS3] is JSON right after data:, without a space", () => {
    expect(controlEvent(CONTROL)).toBe(`event: control\ndata:${JSON.stringify(CONTROL)}\n\n`);
  });

  it("[EV3] alone has the offset to resume from before its JSON, and nothing follows the JSON", () => {
    const id = CONTROL.streamNextOffset;
    expect(loneControlEvent(CONTROL)).toBe(`id: ${id}\n${controlEvent(CONTROL)}`);
    expect(parseEventStream(loneControlEvent(CONTROL))).toEqual([
      { type: "control", data: JSON.stringify(CONTROL), id },
    ]);
  });

  it("[SS4] leaves out what does not apply", () => {
    const [event] = parseEventStream(controlEvent({ streamNextOffset: "o" }));
    expect(JSON.parse(event?.data ?? "")).toEqual({ streamNextOffset: "o" });
  });
});

it("[SS16] a problem event has the body of a refused request, and leaves the reader's offset alone", () => {
  const [event] = parseEventStream(
    problemEvent({ code: "token-expired", detail: "d", hint: "h", headers: { A: "b" } }),
  );
  expect(event).toMatchObject({ type: "problem", id: "" });
  expect(JSON.parse(event?.data ?? "")).toEqual({
    type: "urn:durable-streams-cloudflare:problem:token-expired",
    title: "The token has expired",
    status: 401,
    detail: "d",
    code: "token-expired",
    retry: "with-new-token",
    effects: "none",
    hint: "h",
  });
});

it("[SS17] a heartbeat is not an event", () => {
  expect(parseEventStream(HEARTBEAT + HEARTBEAT)).toEqual([]);
});
