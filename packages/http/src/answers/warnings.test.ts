import { describe, expect, it } from "vitest";

import { warn } from "./warnings.ts";

function warningOf(contentType: string | null, text: string): string | undefined {
  const headers: Record<string, string> = {};
  warn(headers, contentType, new TextEncoder().encode(text));
  return headers["Stream-Warning"]?.split(";", 1)[0];
}

describe("[DG3] a write is warned of", () => {
  it.each([
    ["text/plain", "a\r\nb", "carriage-return"],
    ["text/plain; charset=utf-8", "50%\r", "carriage-return"],
  ])("%s with %j: %s", (contentType, text, code) => {
    expect(warningOf(contentType, text)).toBe(code);
  });

  it.each([
    ["text/plain", "a\nb"],
    // In base64 over SSE, hence exact.
    ["text/csv", "a\r\nb"],
    ["text/event-stream", "data: x\r\n\r\n"],
    ["text/plain-ish", "a\r\nb"],
    ["application/json", "[\r\n1]"],
    ["application/octet-stream", "\r"],
    [null, "\r"],
  ])("not %s with %j", (contentType, text) => {
    expect(warningOf(contentType, text)).toBeUndefined();
  });
});
