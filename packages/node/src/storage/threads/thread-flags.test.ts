import { expect, it } from "vitest";

import { threadFlags } from "./thread-flags.ts";

it("threads get what the program preloads, and none of its other flags", () => {
  const flags = ["--input-type=module", "--import", "./a.mjs", "--require=./b.cjs", "-r", "./c.cjs", "-e", "code"];
  expect(threadFlags(flags)).toEqual(["--import", "./a.mjs", "--require=./b.cjs", "-r", "./c.cjs"]);
});
