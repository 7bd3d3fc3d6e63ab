import { describe, expect, it } from "vitest";

import { parseFork } from "./fork.ts";
import { ZERO_OFFSET } from "./offset.ts";

const FROM = "/v1/stream/p/source";
const OFFSET = "0000000000000007_0000000000000009";

function parse(from: string | null, offset: string | null = null, subOffset: string | null = null) {
  const headers: Record<string, string | null> = {
    "Stream-Forked-From": from,
    "Stream-Fork-Offset": offset,
    "Stream-Fork-Sub-Offset": subOffset,
  };
  return parseFork((name) => headers[name] ?? null);
}

describe("the fork headers of a create", () => {
  it("without any: not a fork", () => {
    expect(parse(null)).toEqual({ ok: true, fork: undefined });
  });

  it("[FK1] a source alone: its tail", () => {
    expect(parse(FROM)).toEqual({ ok: true, fork: { sourcePath: FROM, offset: undefined, subOffset: 0 } });
  });

  it.each(["-1", ZERO_OFFSET])("%s is the beginning", (offset) => {
    expect(parse(FROM, offset)).toMatchObject({ ok: true, fork: { offset: { kind: "start" } } });
  });

  it.each(["0", "1", "999999999999999"])("a sub-offset of %s beyond an offset", (subOffset) => {
    const offset = { kind: "at", incarnation: 7, position: 9 };
    expect(parse(FROM, OFFSET, subOffset)).toMatchObject({ ok: true, fork: { offset, subOffset: Number(subOffset) } });
  });

  it("[FK2] a sub-offset of 0 is as if it were absent, also without an offset", () => {
    expect(parse(FROM, null, "0")).toEqual(parse(FROM));
  });

  it.each<[string | null, string | null, string | null]>([
    [null, "-1", null],
    [null, null, "0"],
    [FROM, "now", null],
    [FROM, "", null],
    [FROM, "3", null],
    [FROM, null, "1"],
    [FROM, "-1", "-1"],
    [FROM, "-1", "01"],
    [FROM, "-1", "1.5"],
    [FROM, "-1", "1e3"],
    [FROM, "-1", " 1"],
    [FROM, "-1", ""],
    [FROM, "-1", "1000000000000000"],
  ])(
    "[FK6] from %j, offset %j, sub-offset %j: refused, and the answer says which header",
    (from, offset, subOffset) => {
      const parsed = parse(from, offset, subOffset);
      expect(parsed).toMatchObject({ ok: false, detail: expect.stringContaining("Stream-Fork") as unknown });
    },
  );
});
