import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { checkJson, JSON_DEPTH_MAX } from "./json-check.ts";

/** As the server is set at first. */
const DEPTH_MAX = 1_000;

const encoder = new TextEncoder();
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(strictUtf8.decode(bytes));
    return true;
  } catch {
    return false;
  }
}

/** The rule: accepted here is what `JSON.parse` accepts of UTF-8. */
function expectAgreement(bytes: Uint8Array): void {
  const fault = checkJson(bytes, DEPTH_MAX);
  expect({ accepted: fault === undefined, fault }).toEqual({ accepted: isJson(bytes), fault });
}

/** Fragments of JSON, and some that are not: most texts made of these are invalid. */
const CHUNKS = [
  "{}[],:\"\\ \t\n\r-+.0123456789eEuabtrfn/'\u0000\u001f\u007f\u00a0\u2028\ufeff".split(""),
  ["true", "false", "null", "NaN", "-0", "01", "1.", ".5", "1e", "1e+", "1E-7", "1e400", "0x1", "-", "--1"],
  ['""', '"a"', '"a":', "[]", "{}", "[[", "]]", ",,", "\\u", '"\\uD800"', '"\\u00zz"', '"\\x"', "é", "€", "😀"],
].flat();

const chunk = fc.constantFrom(...CHUNKS);

const text = fc.oneof(fc.json({ maxDepth: 4 }), fc.string({ unit: chunk, maxLength: 12 }));

interface Edit {
  readonly at: number;
  readonly cut: number;
  readonly insert: Uint8Array;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.nat(),
  cut: fc.nat({ max: 2 }),
  insert: fc.oneof(
    fc.uint8Array({ maxLength: 2 }),
    chunk.map((each) => encoder.encode(each)),
  ),
});

function edited(bytes: Uint8Array, { at, cut, insert }: Edit): Uint8Array {
  const place = at % (bytes.length + 1);
  return Uint8Array.from([...bytes.subarray(0, place), ...insert, ...bytes.subarray(place + cut)]);
}

describe("agrees with JSON.parse of strict UTF-8", () => {
  it("[JS5] about JSON, spoiled JSON, and texts of the same fragments", () => {
    const property = fc.property(text, fc.array(edit, { maxLength: 2 }), (source, edits) => {
      expectAgreement(edits.reduce(edited, encoder.encode(source)));
    });
    fc.assert(property, { numRuns: 5_000 });
  });

  it("[JS9] about any bytes in a string", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 6 }),
      fc.array(fc.constantFrom(0x22, 0x5c, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf), {
        maxLength: 4,
      }),
      fc.string({ unit: "binary" }).map((each) => encoder.encode(each)),
    );
    fc.assert(
      fc.property(bytes, (each) => expectAgreement(Uint8Array.from([0x22, ...each, 0x22]))),
      { numRuns: 5_000 },
    );
  });

  it("about what may follow every first byte of a character", () => {
    for (let first = 0; first < 256; first += 1) {
      for (const second of [0x00, 0x22, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff]) {
        for (const rest of [[], [0x80], [0xbf, 0x80]])
          expectAgreement(Uint8Array.of(0x22, first, second, ...rest, 0x22));
      }
    }
  });

  it("about every escape", () => {
    for (let code = 0; code < 256; code += 1) {
      expectAgreement(Uint8Array.of(0x22, 0x5c, code, 0x22));
      expectAgreement(Uint8Array.of(0x22, 0x5c, 0x75, 0x30, 0x41, 0x66, code, 0x22));
    }
  });

  it.each(
    [
      "-0 01 00 1. .1 1e 1e+ 1E5 1e-05 -01 -1.0e+7 - -- +1 1.e1 1.1.1 1e1e1 0x1 Infinity NaN 1_0".split(" "),
      ["", " ", "\ufeff1", "\ufeff", "[1,]", "[,1]", "[,]", "[1 2]", "{,}", '{"a":1,}', '{"a"}', '{"a":}', "{1:2}"],
      ['{"a" : 1 , "a":2 }', '{"":{}}', "[}", "{]", "]", "}", "[", "{", '{"a":[}', "[[],[{}]]", "1 1", "1,", ","],
      ['"\\uD800"', '"\\uDC00\\uD800"', '"\\u12"', '"\\U0041"', '"\\"', '"', '"a', '"\n"', '"\t"', '"\u007f"', "'a'"],
      ["tru", "true1", "truex", "nul", "nulll", "False", "t", "undefined", "[true,false,null]", "1/**/", "1\u00a0"],
      ["\v1", "\f1", "1\u2028", "\t\n\r 1\t\n\r ", "\u00001", "1\u0000"],
    ].flat(),
  )("about %j", (source) => {
    expectAgreement(encoder.encode(source));
  });
});

describe("[JS11] nesting", () => {
  const nested = (depth: number, open: string, close: string): Uint8Array =>
    encoder.encode(open.repeat(depth) + "1" + close.repeat(depth));

  const KINDS = [
    ["arrays", "[", "]"],
    ["objects", '{"a":', "}"],
    ["both", '[{"a":', "}]"],
  ] as const;
  const CASES = [2, DEPTH_MAX, JSON_DEPTH_MAX].flatMap((depthMax) => KINDS.map((kind) => [depthMax, ...kind] as const));

  it.each(CASES)(
    "up to %d levels of %s is accepted, and refused above that with the position",
    (depthMax, _what, open, close) => {
      const levels = open.includes("[{") ? 2 : 1;
      expect(checkJson(nested(depthMax / levels, open, close), depthMax)).toBeUndefined();
      expect(checkJson(nested(depthMax / levels + 1, open, close), depthMax)).toBe(
        `The JSON is nested more than ${depthMax} levels deep at byte ${(depthMax / levels) * open.length}.`,
      );
    },
  );

  it("[JS11] a million open arrays are refused as soon as they are too deep", () => {
    expect(checkJson(encoder.encode("[".repeat(1_000_000)), DEPTH_MAX)).toBe(
      "The JSON is nested more than 1000 levels deep at byte 1000.",
    );
  });

  it("what one check left open does not matter to the next", () => {
    expect(checkJson(encoder.encode('{"a":[{'), DEPTH_MAX)).toBeDefined();
    expect(checkJson(encoder.encode("[[[1]]]"), DEPTH_MAX)).toBeUndefined();
  });
});

it.each([
  ["[1,]", "Found ']' at byte 3; expected a value."],
  ["[1 2]", "Found '2' at byte 3; expected ',' or ']'."],
  ['{"a":1 "b"', "Found '\"' at byte 7; expected ',' or '}'."],
  ["{a:1}", "Found 'a' at byte 1; expected a property name in double quotes."],
  ['{"a" 1}', "Found '1' at byte 5; expected ':'."],
  ["[tru]", "Found ']' at byte 4; expected true, false or null."],
  ["01", "Found '1' at byte 1; expected the end of the body."],
  ["-", "The body ends at byte 1; expected a digit."],
  ['"é', "The body ends at byte 3; expected '\"'."],
  ['"\n"', "Found 0x0a at byte 1; expected an escape sequence for this control character."],
  ['"\\x"', "Found 'x' at byte 2; expected a valid escape sequence."],
  ['"\\u00g0"', "Found 'g' at byte 5; expected four hexadecimal digits."],
  ["\ufeff1", "Found 0xef at byte 0; expected a value."],
])("[JS5] says what is wrong with %j, and where", (source, fault) => {
  expect(checkJson(encoder.encode(source), DEPTH_MAX)).toBe(fault);
});

it("[JS9] names the byte that is not UTF-8", () => {
  expect(checkJson(Uint8Array.of(0x22, 0x61, 0xe2, 0x82, 0x22), DEPTH_MAX)).toBe(
    "The body is not valid UTF-8 at byte 2.",
  );
});
