import { Writable } from "node:stream";

import { describe, expect, it } from "vitest";

import { CLEAR_LINE } from "./setup/progress.ts";
import { formatBytes, TransferMeter } from "./transfer-meter.ts";

/** The text on stderr after messages were transferred. */
function shown(verb: string, { isQuiet = false, stdout = false, stderr = true }): string {
  let text = "";
  const stream = (isTTY: boolean, listen = false) =>
    Object.assign(
      new Writable({
        write: (chunk: Buffer, _encoding, done) => {
          if (listen) text += chunk.toString();
          done();
        },
      }),
      { isTTY },
    );
  const meter = new TransferMeter({ stdout: stream(stdout), stderr: stream(stderr, true) }, verb, { isQuiet });
  for (let n = 0; n < 10_000; n += 1) meter.add(1_500, 1);
  meter.end();
  return text;
}

describe("the progress line of a transfer", () => {
  it("is updated on a terminal from time to time, and removed at the end", () => {
    const text = shown("Appended", {});
    expect(text.startsWith(`${CLEAR_LINE}Appended 1 message, 1.5 kB`)).toBe(true);
    expect(text.endsWith(CLEAR_LINE)).toBe(true);
    expect(text.split("\r").length).toBeLessThan(1_000);
  });

  it.each([
    ["when stderr is not a terminal", "Read", { stderr: false }],
    ["with --quiet", "Read", { isQuiet: true }],
    ["when the data itself is printed on the same terminal", "Read", { stdout: true }],
  ] as const)("is not shown %s", (_when, verb, options) => {
    expect(shown(verb, options)).toBe("");
  });
});

it.each([
  [0, "0 B"],
  [999, "999 B"],
  [1_500, "1.5 kB"],
  [123_456_789, "123.5 MB"],
])("writes %i bytes as %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
