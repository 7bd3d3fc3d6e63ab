import { expect, it } from "vitest";

import { colors, wantsColors } from "./colors.ts";

it.each([
  [{}, true, false, true],
  [{}, false, false, false],
  [{}, true, true, false],
  [{ TERM: "dumb" }, true, false, false],
  [{ NO_COLOR: "1" }, true, false, false],
  [{ NO_COLOR: "" }, true, false, true],
  [{ FORCE_COLOR: "1" }, false, false, true],
  [{ FORCE_COLOR: "" }, false, false, true],
  [{ FORCE_COLOR: "0" }, true, false, false],
  [{ FORCE_COLOR: "1", NO_COLOR: "1" }, true, false, false],
  [{ FORCE_COLOR: "1" }, true, true, false],
])("%j, on a terminal: %s, with --no-color: %s: colours %s", (env, isTerminal, isRefused, wanted) => {
  expect(wantsColors(env, isTerminal, isRefused)).toBe(wanted);
});

it("colours text only if colours are on", () => {
  expect(colors(true).red("x")).toBe("\u001b[31mx\u001b[39m");
  expect(colors(false).red("x")).toBe("x");
});
