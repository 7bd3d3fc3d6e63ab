import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { isPlainLine, isSessionId, parseStreamName, STREAM_NAME_BYTES_MAX, utf8Length } from "./path.ts";

function nameOf(rawPath: string): string | undefined {
  const parsed = parseStreamName(rawPath);
  return parsed.ok ? parsed.name : undefined;
}

/** Characters of a name that is fine as it stands. */
const character = fc.string({ unit: "binary", minLength: 1, maxLength: 1 }).filter((text) => !/[\p{Cc}/.]/u.test(text));
const name = fc
  .array(fc.array(character, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 4 })
  .map((segments) => segments.map((segment) => segment.join("")).join("/"));

function encodeEverything(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
}

describe("a stream's name", () => {
  it("[SC4] is the same for every spelling: encoded or not, composed or decomposed", () => {
    fc.assert(
      fc.property(name, (text) => {
        const expected = text.normalize("NFC");
        expect(nameOf(encodeURIComponent(text))).toBe(expected);
        expect(nameOf(encodeEverything(text))).toBe(expected);
        expect(nameOf(encodeURIComponent(text.normalize("NFD")))).toBe(expected);
      }),
    );
  });

  it.each([
    ["a/b", "a/b"],
    ["a%2Fb", "a/b"],
    ["a%2fb", "a/b"],
    ["%61", "a"],
    ["caf%C3%A9", "café"],
    ["cafe%CC%81", "café"],
    ["a+b", "a+b"],
    ["a%20b", "a b"],
    ["a%3Fb", "a?b"],
    ["%252e%252e", "%2e%2e"],
    ["a%252Fb", "a%2Fb"],
    ["...", "..."],
    [".a", ".a"],
    ["a..b", "a..b"],
    ["%5F%5Fds", "__ds"],
  ])("of %j is %j: decoded once", (raw, expected) => {
    expect(nameOf(raw)).toBe(expected);
  });

  it("is split into its segments", () => {
    expect(parseStreamName("a/b%2Fc")).toMatchObject({ ok: true, segments: ["a", "b", "c"] });
  });

  it.each([
    ["..", "'..'"],
    [".", "'.'"],
    ["a/../b", "'..'"],
    ["a/./b", "'.'"],
    ["%2e%2e", "'..'"],
    ["%2E", "'.'"],
    ["a/%2e%2E/b", "'..'"],
    [".%2e/b", "'..'"],
    ["a%2F..%2Fb", "'..'"],
    ["", "empty segment"],
    ["/", "empty segment"],
    ["/a", "empty segment"],
    ["a/", "empty segment"],
    ["a//b", "empty segment"],
    ["a%2F%2Fb", "empty segment"],
    ["a%00b", "control character"],
    ["a%0Ab", "control character"],
    ["a\u007f", "control character"],
    ["%", "percent-encoding"],
    ["%zz", "percent-encoding"],
    ["%ff", "UTF-8"],
    ["%c0%af", "UTF-8"],
    ["%ed%a0%80", "UTF-8"],
  ])("[SC3] is refused for %j, because of %s", (raw, reason) => {
    const parsed = parseStreamName(raw);
    expect(parsed).toMatchObject({ ok: false, reason: "invalid", detail: expect.stringContaining(reason) });
  });

  it("[SC3] never has a dot segment or an empty segment, whatever the path", () => {
    const chunk = fc.constantFrom("/", ".", "..", "%2e", "%2F", "%252e", "a", "%00", "\\", "%5c", "é", "e\u0301");
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 8 }), (chunks) => {
        const parsed = parseStreamName(chunks.join(""));
        fc.pre(parsed.ok);
        for (const segment of parsed.ok ? parsed.segments : []) expect(["", ".", ".."]).not.toContain(segment);
      }),
    );
  });

  it("[SC4] has at most 400 bytes, counted in UTF-8 after decoding", () => {
    expect(nameOf("a".repeat(STREAM_NAME_BYTES_MAX))).toBeDefined();
    expect(nameOf("%C3%A9".repeat(STREAM_NAME_BYTES_MAX / 2))).toBeDefined();
    for (const raw of ["a".repeat(STREAM_NAME_BYTES_MAX + 1), `${"%C3%A9".repeat(STREAM_NAME_BYTES_MAX / 2)}a`]) {
      expect(parseStreamName(raw)).toMatchObject({ ok: false, reason: "too-long" });
    }
  });
});

it("utf8Length counts the bytes that an encoder writes", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(utf8Length(text)).toBe(Buffer.byteLength(text));
    }),
  );
});

it("[SC15] a plain line has no control characters, line separators or marks of direction", () => {
  for (const text of ["", "a b", "🚀", "שלום", "👩‍💻"]) expect(isPlainLine(text)).toBe(true);
  for (const code of [0, 0x1b, 0x7f, 0x80, 0x9f, 0x61c, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202e, 0x2066, 0x2069])
    expect([code, isPlainLine(`a${String.fromCodePoint(code)}b`)]).toEqual([code, false]);
});

it("a session's id has 1 to 128 characters that need no encoding, and is no reserved name", () => {
  for (const id of ["a", "alice@example.com", "A.b_c~d:e-f", "x".repeat(128)]) expect(isSessionId(id)).toBe(true);
  for (const id of ["", ".", "..", "a/b", "a*", "a b", "é", "x".repeat(129), "__ds", "__registry__", null, 7])
    expect([id, isSessionId(id)]).toEqual([id, false]);
});
