import { describe, expect, it } from "vitest";

import { EXIT } from "./failure.ts";
import { errorOf, runCaptured } from "./testing/captured-io.ts";

describe("the program", () => {
  it("prints help on stdout when asked, and on stderr when nothing was said", async () => {
    const asked = await runCaptured(["--help"]);
    expect(asked).toMatchObject({ exitCode: EXIT.ok, stdout: expect.stringContaining("Usage: "), stderr: "" });
    const silent = await runCaptured([]);
    expect(silent).toMatchObject({ exitCode: EXIT.usage, stdout: "", stderr: expect.stringContaining("Usage: ") });
  });

  it.each([
    [["tokn"], "token"],
    [["--jsn"], "--json"],
    [["token", "--scope", "all"], "read, write, manage"],
    [["token", "extra"], "too many arguments"],
  ])("refuses %j with exit code 2, saying what was meant", async (argv, meant) => {
    const ran = await runCaptured(argv);
    expect(ran).toMatchObject({ exitCode: EXIT.usage, stdout: "" });
    expect(ran.stderr).toContain(meant);
    expect(ran.stderr).toContain("Fix: ");
  });

  it("tells of errors as JSON where --json is, even among flags that it cannot read", async () => {
    const ran = await runCaptured(["tokn", "--json"]);
    expect(errorOf(ran)).toMatchObject({ code: "usage", exitCode: EXIT.usage });
    expect((await runCaptured(["tokn", "--", "--json"])).stderr).toMatch(/^✗/);
  });
});
