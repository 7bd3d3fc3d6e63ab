import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { base64Lines, hasLongLine, LINE_BYTES_MAX, MessageGroups } from "./sse-lines.ts";

const encoder = new TextEncoder();
const SHORT = 24;

/** Stored JSON in groups, which comes in chunks. */
function groupsOf(stored: string, cuts: readonly number[] = []): string[] {
  const bytes = encoder.encode(stored);
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  const groups = new MessageGroups(SHORT);
  const places = ends.flatMap((end, index) => {
    const start = ends[index - 1] ?? 0;
    return groups.endsIn(bytes.slice(start, end)).map((place) => start + place);
  });
  return places.map((place, index) => Buffer.from(bytes.slice(places[index - 1] ?? 0, place)).toString());
}

const message = fc.oneof(
  fc.json(),
  fc.constantFrom('"a,b"', '"\\"],["', '[1,[2,{"k":"}"}]]', "0"),
  fc.nat(SHORT).map((size) => JSON.stringify("x,".repeat(size))),
);

describe("groups of JSON messages", () => {
  it("[SS21] end between messages only, and are longer than allowed only when one message is", () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 1 }), fc.array(fc.nat(), { maxLength: 4 }), (messages, cuts) => {
        const stored = messages.map((each) => `${each},`).join("");
        const groups = groupsOf(stored, cuts);
        expect(groups.join("")).toBe(stored);
        for (const group of groups) {
          const inside = JSON.parse(`[${group.slice(0, -1)}]`) as unknown[];
          expect(inside.length === 1 || (Buffer.byteLength(group) <= SHORT && inside.length > 0)).toBe(true);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("are as few as may be", () => {
    const half = `"${"x".repeat(SHORT / 2 - 3)}",`;
    expect(groupsOf(half.repeat(4))).toEqual([half.repeat(2), half.repeat(2)]);
  });
});

it.each([0, 1, LINE_BYTES_MAX, LINE_BYTES_MAX + 1, 3 * LINE_BYTES_MAX])(
  "[SS12] [SS21] %d characters of base64 are cut into lines",
  (size) => {
    const lines = base64Lines("A".repeat(size)).split("\n");
    expect(lines.join("")).toBe("A".repeat(size));
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(LINE_BYTES_MAX);
  },
);

it.each([
  { text: "", is: false },
  { text: "x".repeat(LINE_BYTES_MAX), is: false },
  { text: "x".repeat(LINE_BYTES_MAX + 1), is: true },
  { text: `${"x".repeat(LINE_BYTES_MAX)}\n`.repeat(3), is: false },
  { text: `${"x".repeat(LINE_BYTES_MAX)}\n${"x".repeat(LINE_BYTES_MAX + 1)}`, is: true },
])("a long line is found", ({ text, is }) => {
  expect(hasLongLine(encoder.encode(text))).toBe(is);
});
