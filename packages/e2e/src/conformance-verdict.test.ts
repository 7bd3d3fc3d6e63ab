import { expect, it } from "vitest";

import { judge } from "./conformance-verdict.ts";

it("counts what passed, and names what failed or was skipped", () => {
  const verdict = judge([
    { name: "a passes", status: "passed", message: "" },
    { name: "a fails", status: "failed", message: "Error: broken\n at x" },
    { name: "a is skipped", status: "skipped", message: "" },
  ]);
  expect(verdict).toEqual({ passed: 1, faults: ["a fails: failed Error: broken", "a is skipped: skipped "] });
});
