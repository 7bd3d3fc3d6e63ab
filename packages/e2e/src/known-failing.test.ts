import { describe, expect, it } from "vitest";

import type { SuiteTest } from "./conformance-suite.ts";
import { deviations, readKnownFailing } from "./known-failing.ts";

const passed = (name: string): SuiteTest => ({ name, status: "passed", message: "" });
const failed = (name: string): SuiteTest => ({ name, status: "failed", message: "expected 501 to be 201\n    at …" });
const skipped = (name: string): SuiteTest => ({ name, status: "skipped", message: "" });

describe("the list of known failures is exact", () => {
  it("when the tests in it fail, all others pass, and only the reserved APIs are skipped", () => {
    const tests = [passed("a"), failed("b"), skipped("Reserved subscription APIs c")];
    expect(deviations(tests, ["b"])).toBe("");
  });

  it("and is not when a test outside it fails, one in it passes, is unknown or stands twice, or one is skipped", () => {
    const tests = [failed("new"), passed("mended"), failed("twice"), skipped("silent")];
    expect(deviations(tests, ["mended", "gone", "twice", "twice"]).split("\n")).toEqual([
      "fails, but is not in known-failing.txt:",
      "    new",
      "      expected 501 to be 201",
      "passes: remove it from known-failing.txt:",
      "    mended",
      "is in known-failing.txt, but not in the suite:",
      "    gone",
      "is in known-failing.txt twice:",
      "    twice",
      "was skipped:",
      "    silent",
    ]);
  });
});

it("only tests of forks are known to fail", () => {
  expect(readKnownFailing().filter((name) => !name.startsWith("Fork - "))).toEqual([]);
});
