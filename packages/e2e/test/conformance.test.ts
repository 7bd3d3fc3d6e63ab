import { expect, it } from "vitest";

import { runConformanceSuite } from "../src/conformance-suite.ts";
import { deviations, readKnownFailing } from "../src/known-failing.ts";

it("the official suite passes, except exactly the tests in known-failing.txt", { timeout: 240_000 }, async () => {
  expect(deviations(await runConformanceSuite(), readKnownFailing())).toBe("");
});
