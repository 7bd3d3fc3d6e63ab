import { spawnSync } from "node:child_process";

import { expect, it } from "vitest";

const MAIN = new URL("../../src/command/main.ts", import.meta.url).pathname;

/** What comes of one run of each world. */
function fingerprints(form: "object" | "shared"): string[] {
  const { stdout, stderr } = spawnSync(process.execPath, [MAIN, "--seed", "7", "--steps", "60"], {
    encoding: "utf8",
    env: { ...process.env, DATABASE_FORM: form },
  });
  const lines = stdout.split("\n").filter((line) => line.includes("fingerprint"));
  return lines.length === 0 ? [stderr] : lines;
}

it("a run of every world comes to the same, whether each object has a database to itself or all share one", () => {
  const own = fingerprints("object");
  expect(own.length).toBeGreaterThan(5);
  expect(fingerprints("shared")).toEqual(own);
});
