import { describe, expect, it } from "vitest";

import { escapeUnsafe, SafeDecoder } from "./terminal-text.ts";

describe("text on a terminal", () => {
  it.each([
    ["a title and a cleared screen", "\u001b]0;PWNED\u0007\u001b[2J", "\\u001b]0;PWNED\\u0007\\u001b[2J"],
    ["C1 controls", "\u009b31mred", "\\u009b31mred"],
    ["text that reads backwards", "\u202egpj.exe\u2066\u2069", "\\u202egpj.exe\\u2066\\u2069"],
    ["separators of lines and paragraphs", "a\u2028b\u2029c", "a\\u2028b\\u2029c"],
    ["a line that is overwritten", "rm -rf\rls", "rm -rf\\u000dls"],
    ["DEL and NUL", "\u007f\u0000", "\\u007f\\u0000"],
  ])("shows %s", (_what, text, shown) => {
    expect(escapeUnsafe(text)).toBe(shown);
  });

  it("does not change tabs, both kinds of line breaks, and all other text", () => {
    const text = "a\tb\nc\r\nгород 東京 🚀 é";
    expect(escapeUnsafe(text)).toBe(text);
  });

  it("keeps the value of JSON", () => {
    const value = { text: "\u009b\u202e\u2028\u007f" };
    expect(JSON.parse(escapeUnsafe(JSON.stringify(value)))).toEqual(value);
  });

  it("escapes a character that arrives in two chunks", () => {
    const decoder = new SafeDecoder();
    const [first, second] = [Uint8Array.of(0x41, 0xc2), Uint8Array.of(0x9b, 0x42)];
    expect(decoder.push(first) + decoder.push(second)).toBe("A\\u009bB");
  });
});
