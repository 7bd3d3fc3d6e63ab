import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { MessageCounter } from "./message-counter.ts";

/** UTF-8 by hand: this layer has no TextEncoder. */
function utf8(text: string): number[] {
  return [...encodeURIComponent(text).matchAll(/%([0-9A-F]{2})|./g)].map(([one, hex]) =>
    hex === undefined ? one.charCodeAt(0) : Number.parseInt(hex, 16),
  );
}

/** Strings that look like structure. */
const text = fc.string({
  unit: fc.constantFrom(",", '"', "\\", "[", "]", "{", "}", "a", "é", "😀", "\n"),
  maxLength: 8,
});
const messages = fc.array(
  fc.oneof(text, fc.jsonValue({ maxDepth: 3 }), fc.dictionary(text, fc.array(text, { maxLength: 3 }), { maxKeys: 3 })),
  { minLength: 1, maxLength: 8 },
);

/** Cuts bytes into chunks at any position. */
function cut(bytes: readonly number[], places: readonly number[]): Uint8Array[] {
  const borders = [...places.map((place) => place % (bytes.length + 1)), 0, bytes.length].toSorted((a, b) => a - b);
  return borders.slice(1).map((to, index) => Uint8Array.from(bytes.slice(borders[index], to)));
}

/** Where the counter finds the end, over all chunks. */
function endOf(counter: MessageCounter, chunks: readonly Uint8Array[]): number | undefined {
  let position = 0;
  for (const chunk of chunks) {
    const end = counter.take(chunk);
    if (end !== undefined) return position + end;
    position += chunk.length;
  }
  return undefined;
}

describe("for all JSON, spelled with or without spaces, cut anywhere", () => {
  it("the first n messages are what JSON.parse takes them for", () => {
    const property = fc.property(
      messages,
      fc.array(fc.nat()),
      fc.nat(),
      fc.constantFrom(undefined, 2),
      (all, places, which, spaces) => {
        const stored = all.map((message) => `${JSON.stringify(message, undefined, spaces)},`).join("");
        const count = 1 + (which % all.length);
        const bytes = utf8(stored);
        const end = endOf(new MessageCounter(count), cut(bytes, places)) ?? 0;
        const prefix = decodeURIComponent(
          bytes
            .slice(0, end)
            .map((byte) => `%${byte.toString(16).padStart(2, "0")}`)
            .join(""),
        );
        expect(JSON.parse(`[${prefix.slice(0, -1)}]`)).toEqual(JSON.parse(JSON.stringify(all.slice(0, count))));
      },
    );
    fc.assert(property);
  });

  it("when there are too few messages, the counter says how many are missing", () => {
    const property = fc.property(
      messages,
      fc.array(fc.nat()),
      fc.integer({ min: 1, max: 9 }),
      (all, places, missing) => {
        const stored = all.map((message) => `${JSON.stringify(message)},`).join("");
        const counter = new MessageCounter(all.length + missing);
        expect(endOf(counter, cut(utf8(stored), places))).toBeUndefined();
        expect(counter.left).toBe(missing);
      },
    );
    fc.assert(property);
  });
});
