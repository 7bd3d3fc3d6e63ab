import { NOT_ENCODABLE, SseEncoder, type Encoded } from "@durable-streams-cloudflare/http/live/sse-encoder";
import { sseFormOf } from "@durable-streams-cloudflare/http/live/sse-form";
import { LINE_BYTES_MAX } from "@durable-streams-cloudflare/protocol";
import { assertProperty, concatBytes, patternBytes, textOf, utf8 } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const JSON_TYPE = "application/json";
const LIVE = { position: 5, upToDate: true, closed: false };
const CLOSED = { position: 5, upToDate: true, closed: true };
const OFFSET = "0000000000000007_0000000000000005";

interface Event {
  readonly type: string;
  readonly data: string;
}

/** Reads events as a browser does: lines end at LF, CR or CRLF; one space after the colon is dropped. */
function eventsOf(encoded: Encoded): Event[] {
  const blocks = textOf(encoded === NOT_ENCODABLE ? new Uint8Array() : (encoded ?? new Uint8Array()))
    .split(/\r\n\r\n|\n\n|\r\r/)
    .slice(0, -1);
  return blocks.map((block) => {
    const lines = block.split(/\r\n|\r|\n/).map((line) => /^(\w+): ?([^]*)$/.exec(line));
    const valuesOf = (field: string): string[] => lines.flatMap((line) => (line?.[1] === field ? [line[2] ?? ""] : []));
    return { type: valuesOf("event").join(), data: valuesOf("data").join("\n") };
  });
}

function encoderOf(contentType: string, form = sseFormOf(contentType, undefined)): SseEncoder {
  return new SseEncoder({ contentType, lineage: { incarnation: 7, ancestors: [] } }, form, null);
}

const STREAM = { contentType: "text/plain", lineage: { incarnation: 7, ancestors: [] } };

function frameOf(text: string) {
  return { from: 0, to: text.length, closed: false, bytes: utf8(text), events: new Map<string, Uint8Array>() };
}

/** The payloads of the data events that batches make; the last one closes the stream. */
function payloadsOf(contentType: string, batches: readonly Uint8Array<ArrayBuffer>[]): string[] {
  const encoder = encoderOf(contentType);
  const sent = batches.map((batch, index) => encoder.batch(batch, index === batches.length - 1 ? CLOSED : LIVE));
  return sent.flatMap(eventsOf).flatMap(({ type, data }) => (type === "data" ? [data] : []));
}

describe("text", () => {
  it("[SS3] a batch is one data and one control event", () => {
    const [data, control, ...more] = eventsOf(encoderOf("text/plain").batch(utf8("hello"), LIVE));
    expect(data).toEqual({ type: "data", data: "hello" });
    expect(control?.type).toBe("control");
    expect(JSON.parse(control?.data ?? "")).toEqual({
      streamNextOffset: OFFSET,
      streamCursor: expect.stringMatching(/^\d+$/),
      upToDate: true,
    });
    expect(more).toEqual([]);
  });

  it.each([
    { text: "a\nb", arrives: "a\nb" },
    { text: "a\rb", arrives: "a\nb" },
    { text: "a\r\nb", arrives: "a\nb" },
    { text: "a\n\nevent: control\ndata:{}\n\n", arrives: "a\n\nevent: control\ndata:{}\n\n" },
    { text: "\n", arrives: "\n" },
    { text: " one space", arrives: " one space" },
    { text: "  two\n three", arrives: "  two\n three" },
    { text: "\u2028\u0085\u0000\uFEFF", arrives: "\u2028\u0085\u0000\uFEFF" },
    { text: "\uFEFFmark", arrives: "\uFEFFmark" },
  ])("$text arrives as $arrives", ({ text, arrives }) => {
    expect(payloadsOf("text/plain", [utf8(text)])).toEqual([arrives]);
  });

  it("[SS9] wherever text is cut into batches, the events together are the text", async () => {
    const text = fc.string({ unit: fc.constantFrom("a", "é", "€", "😀", " ", "\u{10FFFF}"), minLength: 1 });
    const property = fc.property(text, fc.array(fc.nat()), (whole, cuts) => {
      const bytes = utf8(whole);
      const ends = [0, ...cuts.map((cut) => cut % bytes.length), bytes.length].toSorted((a, b) => a - b);
      const batches = ends.slice(1).map((end, index) => bytes.slice(ends[index], end));
      const parts = batches.filter((batch) => batch.length > 0);
      expect(payloadsOf("text/plain", parts).join("")).toBe(whole);
    });
    await assertProperty("UTF-8 cut into SSE batches", property, 500);
  });

  it("[SS13] a batch that ends inside a character is sent with the next one, and no control event lets a client resume there", () => {
    const encoder = encoderOf("text/plain");
    const [first, second, third] = [utf8("x€").slice(0, 2), utf8("x€").slice(2, 3), utf8("x€").slice(3)];
    expect(encoder.batch(first, LIVE)).toBeUndefined();
    expect(encoder.batch(second, LIVE)).toBeUndefined();
    expect(eventsOf(encoder.batch(third, LIVE)).map(({ type }) => type)).toEqual(["data", "control"]);
  });

  it("a CRLF that two batches cut is one line break, as in one batch", () => {
    const encoder = encoderOf("text/plain");
    const sent = ["a\r", "\nb", "c\r", "d"].map((text) => encoder.frame(frameOf(text), LIVE));
    const texts = sent.flatMap(eventsOf).flatMap(({ type, data }) => (type === "data" ? [data] : []));
    expect(texts.join("")).toBe("a\nbc\nd");
    // Others, who have not seen the CR, get what they would get alone.
    expect(eventsOf(encoderOf("text/plain").frame(frameOf("\nb"), LIVE))[0]?.data).toBe("\nb");
  });
});

describe("JSON", () => {
  it("[SS10] messages arrive as an array, as they were written", () => {
    expect(payloadsOf("application/json", [utf8('1.0,{"a":1,"a":2},')])).toEqual(['[1.0,{"a":1,"a":2}]']);
  });

  it("line breaks between tokens make an event of several lines", () => {
    expect(payloadsOf("application/json", [utf8('{\n"a":\r\n1},')])).toEqual(['[{\n"a":\n1}]']);
  });
});

describe("base64", () => {
  it.each([1, 2, 3, 4, 0x6000 - 1, 0x6000, 0x6000 + 1, 3 * 0x6000 + 2])(
    "[SS12] %d bytes decode to themselves",
    (size) => {
      const bytes = patternBytes(size);
      const [payload = ""] = payloadsOf("application/octet-stream", [bytes]);
      const lines = payload.split("\n");
      expect(lines.join("").length % 4).toBe(0);
      expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(65_536);
      expect(Buffer.compare(Buffer.from(payload, "base64"), bytes)).toBe(0);
    },
  );

  it("batches are encoded one by one: none waits for another", () => {
    const batches = [1, 2, 3].map((size) => patternBytes(size, size));
    const payloads = payloadsOf("image/png", batches);
    expect(payloads).toHaveLength(3);
    expect(
      Buffer.compare(Buffer.concat(payloads.map((each) => Buffer.from(each, "base64"))), concatBytes(batches)),
    ).toBe(0);
  });
});

/** Where bytes are cut, and cut again. */
function cutAt(bytes: Uint8Array<ArrayBuffer>, cuts: readonly number[]): Uint8Array<ArrayBuffer>[] {
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  return ends.map((end, index) => bytes.slice(ends[index - 1] ?? 0, end)).filter(({ length }) => length > 0);
}

/** What a batch makes that comes in parts. */
function sentInParts(contentType: string, parts: readonly Uint8Array<ArrayBuffer>[]): Event[] {
  const encoder = encoderOf(contentType);
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  let position = 0;
  const sent = parts.map((part) => {
    position += part.length;
    return position === size ? encoder.batch(part, { ...CLOSED, position }) : encoder.part(part, position);
  });
  return eventsOf(concatBytes(sent.filter((each) => each instanceof Uint8Array)));
}

describe("a batch in parts", () => {
  const UNITS = ['"é"', "1", ",", "\n", "[2,3]"];

  it("of bytes is, all together, what the whole batch is, but for line breaks that change nothing", async () => {
    const units = fc.string({ unit: fc.constantFrom(...UNITS) });
    const property = fc.property(units, fc.array(fc.nat(), { maxLength: 5 }), (text, cuts) => {
      const bytes = utf8(`x${text},`);
      const unbroken = ({ type, data }: Event): Event => ({ type, data: data.replaceAll("\n", "") });
      const whole = sentInParts("application/octet-stream", [bytes]);
      expect(sentInParts("application/octet-stream", cutAt(bytes, cuts)).map(unbroken)).toEqual(whole.map(unbroken));
    });
    await assertProperty("parts of bytes", property, 500);
  });

  it("[SS21] of JSON makes pairs of whole messages and the offset of the last one's end, which come as soon as they may", async () => {
    const messages = fc.array(fc.constantFrom('"é"', "1", '{"a":[1,"],["]}', '"\\","'), { minLength: 1 });
    const property = fc.property(messages, fc.array(fc.nat(), { maxLength: 5 }), (texts, cuts) => {
      const stored = texts.map((text) => `${text},`).join("");
      const parts = cutAt(utf8(stored), cuts);
      const events = sentInParts(JSON_TYPE, parts);
      let position = 0;
      const found = events.flatMap(({ type, data }) => {
        if (type === "data") {
          const text = `${data.slice(1, -1)},`;
          position += utf8(text).length;
          return [text];
        }
        const control = JSON.parse(data) as { streamNextOffset: string; streamClosed?: boolean };
        expect(Number(control.streamNextOffset.slice(17))).toBe(position);
        expect(control.streamClosed).toBe(position === utf8(stored).length ? true : undefined);
        return [];
      });
      expect(found.join("")).toBe(stored);
      expect(events.map(({ type }) => type)).toEqual(found.flatMap(() => ["data", "control"]));
      // One for each part in which a message ends, as all of them together are short.
      expect(found.length).toBeLessThanOrEqual(parts.length);
    });
    await assertProperty("parts of JSON", property, 500);
  });

  it("[SS17] [SS14] of JSON is inside an event only when one message is longer than a line", () => {
    const encoder = encoderOf(JSON_TYPE);
    expect(encoder.part(utf8('1,"a'), 4)).toBeInstanceOf(Uint8Array);
    expect(encoder.isInEvent).toBe(false);
    expect(encoder.part(utf8("b"), 5)).toBeUndefined();
    expect(encoder.isInEvent).toBe(false);
    expect(encoder.part(utf8("x".repeat(LINE_BYTES_MAX)), 5 + LINE_BYTES_MAX)).toBeInstanceOf(Uint8Array);
    expect(encoder.isInEvent).toBe(true);
    expect(encoder.part(utf8('",2,"c'), 11 + LINE_BYTES_MAX)).toBeInstanceOf(Uint8Array);
    expect(encoder.isInEvent).toBe(false);
  });
});

it("[SS6] a close without data is a control event that ends the stream, without a cursor", () => {
  const [control, ...more] = eventsOf(encoderOf("text/plain").batch(new Uint8Array(), CLOSED));
  expect(JSON.parse(control?.data ?? "")).toEqual({ streamNextOffset: OFFSET, upToDate: true, streamClosed: true });
  expect(more).toEqual([]);
});

it("[SS5] a control event in the middle of catching up does not claim to be up to date", () => {
  const events = eventsOf(encoderOf("text/plain").batch(utf8("x"), { ...LIVE, upToDate: false }));
  expect(JSON.parse(events[1]?.data ?? "")).not.toHaveProperty("upToDate");
});

describe("text in parts", () => {
  it("is text as long as it turns out to be, with what was held before", () => {
    const encoder = encoderOf("text/plain");
    expect(encoder.batch(utf8("€").slice(0, 2), LIVE)).toBeUndefined();
    const sent = [
      encoder.part(utf8("€").slice(2), 3),
      encoder.part(utf8("xé").slice(0, 2), 5),
      encoder.batch(utf8("é").slice(1), LIVE),
    ];
    const events = eventsOf(concatBytes(sent.filter((each) => each instanceof Uint8Array)));
    expect(events.map(({ type, data }) => (type === "data" ? data : type))).toEqual(["€xé", "control"]);
  });

  it.each([
    { what: "is not UTF-8", contentType: "text/plain", bytes: [0x61, 0xff] },
    { what: "ends inside a character", contentType: "text/plain", bytes: [0x61, 0xe2] },
    { what: "has a CR that matters", contentType: "text/csv", bytes: [0x61, 0x0d] },
  ])("is not damaged when the rest $what", ({ contentType, bytes }) => {
    const encoder = encoderOf(contentType);
    expect(encoder.part(utf8("a"), 1)).toBeInstanceOf(Uint8Array);
    expect(encoder.batch(Uint8Array.from(bytes), LIVE)).toBe(NOT_ENCODABLE);
  });
});

describe("[SS20] text that SSE cannot carry", () => {
  const latin = new Uint8Array([0x63, 0x61, 0x66, 0xe9]);

  it.each([[0xff], [0xf8], [0x80], [0xc3, 0x28], [0x61, 0x80, 0x80, 0x80, 0x80]])(
    "is not damaged, and not waited for: bytes that are not UTF-8, %j",
    (...bytes) => {
      expect(encoderOf("text/plain").batch(Uint8Array.from(bytes), LIVE)).toBe(NOT_ENCODABLE);
    },
  );

  it("is not damaged: what waited for the rest of a character, and got something else", () => {
    const encoder = encoderOf("text/plain");
    expect(encoder.batch(latin, LIVE)).toBeUndefined();
    expect(encoder.batch(latin, LIVE)).toBe(NOT_ENCODABLE);
  });

  it("is not damaged: a stream that closed inside a character", () => {
    const encoder = encoderOf("text/plain");
    expect(encoder.batch(Uint8Array.of(0x61, 0xe2, 0x82), LIVE)).toBeUndefined();
    expect(encoder.batch(new Uint8Array(), CLOSED)).toBe(NOT_ENCODABLE);
  });

  it("is not damaged: a CR, in any text but plain text", () => {
    expect(encoderOf("text/csv").batch(utf8("a,b\r\n"), LIVE)).toBe(NOT_ENCODABLE);
    expect(encoderOf("text/csv").batch(utf8("a,b\n"), LIVE)).toBeInstanceOf(Uint8Array);
  });

  it("comes in base64, and control events say so, for who sees no headers", () => {
    const [data, control] = eventsOf(encoderOf("text/csv", "base64").batch(utf8("a,b\r\n"), LIVE));
    expect(Buffer.from(data?.data ?? "", "base64").toString()).toBe("a,b\r\n");
    expect(JSON.parse(control?.data ?? "")).toMatchObject({ streamSseDataEncoding: "base64" });
  });

  it.each([
    ["text/csv; charset=windows-1252", "base64"],
    ["text/plain; charset=ISO-8859-1", "base64"],
    ["text/plain; charset=utf-16", "base64"],
    ['text/plain; charset="UTF-8"', "text"],
    ["text/plain; charset=us-ascii", "text"],
    ["application/json; charset=latin1", "json"],
    ["image/png", "base64"],
  ])("is known by its type where that says so: %s has the form %s", (contentType, form) => {
    expect(sseFormOf(contentType, undefined)).toBe(form);
  });
});

describe("a frame that many readers get", () => {
  it("is encoded once for those who are sent the same, and again for others", () => {
    const frame = frameOf("ab");
    const first = encoderOf("text/plain").frame(frame, LIVE);
    expect(encoderOf("text/plain").frame(frame, LIVE)).toBe(first);
    expect(encoderOf("text/plain").frame(frame, { ...LIVE, upToDate: false })).not.toEqual(first);
    const inBase64 = encoderOf("text/plain", "base64").frame(frame, LIVE);
    expect(eventsOf(inBase64)[0]?.data).toBe("YWI=");
    const withCursor = new SseEncoder(STREAM, "text", "999999999").frame(frame, LIVE);
    expect(textOf(withCursor as Uint8Array)).toContain("1000000000");
  });

  it("is kept in few forms, however many cursors its readers have", () => {
    const frame = frameOf("ab");
    for (let cursor = 0; cursor < 100; cursor += 1) new SseEncoder(STREAM, "text", String(cursor)).frame(frame, LIVE);
    expect(frame.events.size).toBe(8);
  });

  it("is encoded anew for a reader who still has the first half of a character", () => {
    const [euro0 = 0, ...rest] = utf8("€");
    const waiting = encoderOf("text/plain");
    const first = { ...frameOf(""), bytes: new Uint8Array([euro0]) };
    expect(waiting.frame(first, { ...LIVE, position: 3 })).toBeUndefined();
    // Alone, the other half is no text: it must not be taken for what this reader needs, nor the reverse.
    const second = { ...frameOf(""), bytes: new Uint8Array(rest) };
    expect(encoderOf("text/plain").frame(second, LIVE)).toBe(NOT_ENCODABLE);
    expect(eventsOf(waiting.frame(second, LIVE))[0]?.data).toBe("€");
  });
});
