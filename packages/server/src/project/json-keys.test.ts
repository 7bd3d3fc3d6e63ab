import { describe, expect, it } from "vitest";

import { hasDuplicateKeys } from "./json-keys.ts";

describe("a key that is there twice", () => {
  it.each([
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '{ "sub" : "x" , "b":{}, "sub"\n:"y"}',
    '{"a":{"b":"}"},"a":1}',
    '{"a\\"":1,"a\\"":1}',
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
  ])("is not: %s", (json) => {
    expect(hasDuplicateKeys(json)).toBe(false);
  });
});
