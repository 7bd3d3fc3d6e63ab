import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { EMPTY_ARRAY, toStoredMessages } from "./json-mode.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function store(text: string) {
  return toStoredMessages(encoder.encode(text), 1_000);
}

/** What a reader of the stored form gets. */
function readBack(...bodies: string[]): string {
  const stored = bodies.map((body) => {
    const result = store(body);
    if (!result.ok) throw new Error(`${result.reason}: ${result.detail}`);
    return decoder.decode(result.stored);
  });
  return `[${stored.join("").slice(0, -1)}]`;
}

const space = fc.string({ unit: fc.constantFrom(" ", "\t", "\n", "\r"), maxLength: 3 });

/** JSON source text with white space wherever the grammar has it. */
const { json } = fc.letrec<{ json: string; array: string; object: string }>((tie) => ({
  json: fc
    .tuple(
      space,
      fc.oneof(
        { maxDepth: 4, depthSize: "small" },
        fc.constantFrom("null", "true", "false", "1.0", "-0", "1e400", "12345678901234567890", "1E-7"),
        fc.string({ unit: "binary" }).map((text) => JSON.stringify(text)),
        fc.constantFrom('"\\u0041"', '"\\/"', '"\\ud83d\\ude00"', '"]"', '","', '"["'),
        tie("array"),
        tie("object"),
      ),
      space,
    )
    .map((parts) => parts.join("")),
  array: fc
    .tuple(space, fc.array(tie("json"), { maxLength: 4 }))
    .map(([gap, items]) => `[${items.length === 0 ? gap : items.join(",")}]`),
  object: fc
    .tuple(space, fc.array(fc.tuple(space, fc.string(), space, tie("json")), { maxLength: 4 }))
    .map(([gap, entries]) => {
      const fields = entries.map(([before, key, after, value]) => `${before}${JSON.stringify(key)}${after}:${value}`);
      return `{${fields.length === 0 ? gap : fields.join(",")}}`;
    }),
}));

function messagesOf(text: string): unknown[] {
  const value: unknown = JSON.parse(text);
  return Array.isArray(value) ? (value as unknown[]) : [value];
}

function isEmptyArray(text: string): boolean {
  const value: unknown = JSON.parse(text);
  return Array.isArray(value) && value.length === 0;
}

describe("toStoredMessages", () => {
  it("[JS2] [JS3] [JS8] stores any JSON so that it reads back as an array of the same messages, flattened by one level", () => {
    fc.assert(
      fc.property(json, (text) => {
        fc.pre(!isEmptyArray(text));
        expect(JSON.parse(readBack(text))).toEqual(messagesOf(text));
      }),
    );
  });

  it("joins the messages of several bodies into one array, in order", () => {
    fc.assert(
      fc.property(fc.array(json, { minLength: 1, maxLength: 5 }), (texts) => {
        const bodies = texts.filter((text) => !isEmptyArray(text));
        fc.pre(bodies.length > 0);
        expect(JSON.parse(readBack(...bodies))).toEqual(bodies.flatMap(messagesOf));
      }),
    );
  });

  it.each([
    ["a number beyond 2^53", "12345678901234567890", "[12345678901234567890]"],
    ["a fraction of nothing", "1.0", "[1.0]"],
    ["a number beyond a double", "1e400", "[1e400]"],
    ["negative zero", "[-0]", "[-0]"],
    ["duplicate keys and their order", '{"b":1,"a":2,"b":3}', '[{"b":1,"a":2,"b":3}]'],
    ["escapes as they were spelled", '"\\u0041\\/\\ud83d\\ude00"', '["\\u0041\\/\\ud83d\\ude00"]'],
    ["white space between messages", " [ 1 ,\n 2 ] ", "[ 1 ,\n 2 ]"],
    ["nested arrays", "[[1,2],[3]]", "[[1,2],[3]]"],
    ["an array of an array", "[[[1,2,3]]]", "[[[1,2,3]]]"],
    ["an empty array as a message", "[[]]", "[[]]"],
    ["characters of several bytes", '["é😀"]', '["é😀"]'],
  ])("[JS8] keeps %s", (_what, body, expected) => {
    expect(readBack(body)).toBe(expected);
  });

  it.each(["[]", "[ ]", " [\n\t] \r\n"])("[JS4] takes %j for an array without messages", (text) => {
    expect(store(text)).toMatchObject({ ok: false, reason: "empty-array" });
  });

  it.each([
    "",
    " ",
    "[1,]",
    "[,1]",
    "1 2",
    "1,2",
    "[1],[2]",
    "[1][2]",
    "{",
    "undefined",
    "NaN",
    "'a'",
    "01",
    "{a:1}",
    "[1]//",
    "\u00a0[1]",
    "\ufeff[1]",
    '"\n"',
  ])("[JS5] refuses %j and says why", (text) => {
    const result = store(text);
    expect(result).toMatchObject({ ok: false, reason: "invalid" });
    expect(!result.ok && result.detail.length).toBeGreaterThan(0);
  });

  it("[JS6] reads as an empty array where there is nothing", () => {
    expect(JSON.parse(EMPTY_ARRAY)).toEqual([]);
  });
});
