import { describe, expect, it } from "vitest";

import { matchesEtag, rangeEtag } from "./etag.ts";

describe("rangeEtag", () => {
  it("[CA6] [CA7] differs by incarnation, beginning, end and closure, and is a quoted string", () => {
    const tags = [
      rangeEtag(1, 0, 10, false),
      rangeEtag(2, 0, 10, false),
      rangeEtag(1, 1, 10, false),
      rangeEtag(1, 0, 11, false),
      rangeEtag(1, 0, 10, true),
      rangeEtag(11, 0, 0, false),
      rangeEtag(1, 10, 0, false),
    ];
    expect(new Set(tags).size).toBe(tags.length);
    for (const tag of tags) expect(tag).toMatch(/^"[\x21\x23-\x7e]+"$/);
  });

  it("is the same for the same range", () => {
    expect(rangeEtag(1, 2, 3, true)).toBe(rangeEtag(1, 2, 3, true));
  });
});

describe("matchesEtag", () => {
  const etag = rangeEtag(1, 0, 10, false);

  it.each([etag, ` ${etag} `, `W/${etag}`, `"x", ${etag}`, `${etag},"x"`, `"x" ,W/${etag} , "y"`, "*", " * "])(
    "[CA5] %j matches",
    (header) => {
      expect(matchesEtag(header, etag)).toBe(true);
    },
  );

  it.each([null, "", '"x"', "1:0:10", `${etag}x`, `w/${etag}`, `"x", "y"`, '"*"', rangeEtag(1, 0, 10, true)])(
    "[CA5] %j does not match",
    (header) => {
      expect(matchesEtag(header, etag)).toBe(false);
    },
  );
});
