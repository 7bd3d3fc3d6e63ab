import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { formatOffset, parseOffset, ZERO_OFFSET } from "./offset.ts";

const number = fc.maxSafeNat();
const MAX = Number.MAX_SAFE_INTEGER;

describe("formatOffset", () => {
  it("[OF1] orders text as the pairs of numbers are ordered", () => {
    fc.assert(
      fc.property(number, number, number, number, (incarnationA, positionA, incarnationB, positionB) => {
        const a = formatOffset(incarnationA, positionA);
        const b = formatOffset(incarnationB, positionB);
        const isBefore = incarnationA < incarnationB || (incarnationA === incarnationB && positionA < positionB);
        expect(a < b).toBe(isBefore);
      }),
    );
  });

  it("[OF1] [IN5] grows with the position by one byte, also where a digit is added", () => {
    for (const position of [0, 9, 99, 999_999, MAX - 1]) {
      expect(formatOffset(1, position) < formatOffset(1, position + 1)).toBe(true);
    }
  });

  it("[OF4] needs no encoding in a URL and is short", () => {
    fc.assert(
      fc.property(number, number, (incarnation, position) => {
        const offset = formatOffset(incarnation, position);
        expect(encodeURIComponent(offset)).toBe(offset);
        expect(offset.length).toBe(33);
      }),
    );
  });
});

describe("parseOffset", () => {
  it("reads back what formatOffset wrote", () => {
    fc.assert(
      fc.property(number, number, (incarnation, position) => {
        fc.pre(incarnation + position > 0);
        expect(parseOffset(formatOffset(incarnation, position))).toEqual({ kind: "at", incarnation, position });
      }),
    );
  });

  it.each([null, "-1", "0000000000000000_0000000000000000", ZERO_OFFSET, formatOffset(0, 0)])(
    "[OF5] reads %j as the beginning",
    (text) => {
      expect(parseOffset(text)).toEqual({ kind: "start" });
    },
  );

  it("reads now as the tail", () => {
    expect(parseOffset("now")).toEqual({ kind: "now" });
  });

  it("accepts the largest numbers that are exact, and none beyond", () => {
    expect(parseOffset(`${MAX}_${MAX}`)).toEqual({ kind: "at", incarnation: MAX, position: MAX });
    expect(parseOffset(`9007199254740992_${"0".repeat(16)}`)).toBeUndefined();
    expect(parseOffset(`${"0".repeat(16)}_9999999999999999`)).toBeUndefined();
  });

  it.each([
    "",
    " ",
    "0",
    "-2",
    "NOW",
    "1_2",
    "0000000000000001",
    "0000000000000001_",
    "0000000000000001_0000000000000002_",
    "0000000000000001_0000000000000002\n",
    " 0000000000000001_0000000000000002",
    "000000000000000a_0000000000000002",
    "-000000000000001_0000000000000002",
    "0000000000000001,0000000000000002",
    "0000000000000001/0000000000000002",
    "0000000000000001_000000000000000\u0000",
    "٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠١_0000000000000002",
  ])("[OF10] refuses %j", (text) => {
    expect(parseOffset(text)).toBeUndefined();
  });
});
