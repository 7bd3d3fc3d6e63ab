import { describe, expect, it } from "vitest";

import { hasDuplicateKeys } from "./json-keys.ts";

describe("a key that is there twice", () => {
  it.each([
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '{ "sub" : "x" , "b":{}, "sub"\n:"y"}',
    '{"a":{"b":"}"},"a":1}',
    '{"a\\"":1,"a\\"":1}',
    '{"rights":[{"streams":"a","scope":"read","streams":"*"}]}',
    '{"a":{"b":{"c":1},"d":[{}],"b":2}}',
  ])("is found: %s", (json) => {
    expect(hasDuplicateKeys(json)).toBe(true);
  });

  it.each([
    "{}",
    '{"a":1,"b":2}',
    '{"a":"a","b":["a","a"],"c":{"a":1}}',
    '{"a":"\\"a\\":1,\\"a\\":","b":1}',
    '{"a":{"b":1},"c":{"b":1}}',
    '{"a":"}{","b":"\\\\","c":1}',
    '{"a":[{"b":1},{"b":1}],"b":1}',
    '{"a":{"a":{"a":[{"a":1}]}}}',
  ])("is not: %s", (json) => {
    expect(hasDuplicateKeys(json)).toBe(false);
  });
});

/** Counts how often a character is read, or copied. */
class CountedText {
  readonly #text: string;
  reads = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get length(): number {
    return this.#text.length;
  }

  charCodeAt(at: number): number {
    this.reads += 1;
    return this.#text.charCodeAt(at);
  }

  slice(start: number, end: number): string {
    this.reads += end - start;
    return this.#text.slice(start, end);
  }
}

it.each([
  ["a text that never ends, full of escaped quotes", (n: number) => `{"${'\\"'.repeat(n)}`],
  ["texts without end", (n: number) => `{${'"'.repeat(2 * n + 1)}`],
  ["spaces behind a key", (n: number) => `{"a"${" ".repeat(2 * n)}`],
  ["keys without end", (n: number) => `{${Array.from({ length: n }, (_, key) => `"k${key}":1`).join(",")}`],
  ["depth without end", (n: number) => `{"a":${"[".repeat(2 * n)}`],
])("%s is read a fixed number of times", (_what, textOf) => {
  for (const size of [100, 1_000, 10_000]) {
    const text = new CountedText(textOf(size));
    hasDuplicateKeys(text);
    expect(text.reads).toBeLessThanOrEqual(4 * text.length);
  }
});
