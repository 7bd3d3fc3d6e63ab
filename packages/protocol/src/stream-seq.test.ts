import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { isStreamSeq, isStreamSeqAfter, STREAM_SEQ_LENGTH_MAX } from "./stream-seq.ts";

function isAfterInBytes(next: string, last: string): boolean {
  return Buffer.compare(Buffer.from(next), Buffer.from(last)) > 0;
}

const text = fc.string({
  unit: fc.oneof(fc.constantFrom("a", "b", "é", "\uffff", "😀"), fc.string({ unit: "binary" })),
});

describe("isStreamSeqAfter", () => {
  it("[AP6] orders any two texts as their UTF-8 bytes are ordered", () => {
    fc.assert(
      fc.property(text, text, (next, last) => {
        expect(isStreamSeqAfter(next, last)).toBe(isAfterInBytes(next, last));
      }),
    );
  });

  it("[AP6] orders texts with a common beginning as their UTF-8 bytes are ordered", () => {
    fc.assert(
      fc.property(text, text, text, (beginning, next, last) => {
        const [a, b] = [beginning + next, beginning + last];
        expect(isStreamSeqAfter(a, b)).toBe(isAfterInBytes(a, b));
      }),
    );
  });

  it.each([
    ["a", "a", false],
    ["aa", "a", true],
    ["a", "aa", false],
    ["b", "aa", true],
    ["10", "9", false],
    ["a", "B", true],
    ["é", "z", true],
    // Beyond the Basic Multilingual Plane the order of UTF-16 units is another one.
    ["😀", "\uffff", true],
    ["\uffff", "😀", false],
    ["a😀", "a\uffff", true],
  ])("[AP6] %j after %j is accepted: %s", (next, last, expected) => {
    expect(isStreamSeqAfter(next, last)).toBe(expected);
    expect(isAfterInBytes(next, last)).toBe(expected);
  });

  it("accepts anything as the first", () => {
    expect(isStreamSeqAfter("", undefined)).toBe(true);
  });
});

it("[AP6] a Stream-Seq has 1 to 1024 characters", () => {
  expect(isStreamSeq("")).toBe(false);
  expect(isStreamSeq("0")).toBe(true);
  expect(isStreamSeq("x".repeat(STREAM_SEQ_LENGTH_MAX))).toBe(true);
  expect(isStreamSeq("x".repeat(STREAM_SEQ_LENGTH_MAX + 1))).toBe(false);
});
