import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { Command } from "commander";
import { describe, expect, it } from "vitest";

import { SERVE } from "./commands/serve.ts";
import { EXIT } from "./failure.ts";
import { errorOf, programOf, runCaptured } from "./testing/captured-io.ts";

const DOCS = readFileSync(join(import.meta.dirname, "../../../docs/cli.md"), "utf8");

/** Those that do something; of the others, those below them. */
function commandsOf(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(commandsOf);
}

/** As it is typed, without the program's name. */
function nameOf(command: Command): string {
  const parent = command.parent?.parent === null ? "" : `${command.parent?.name() ?? ""} `;
  return parent + command.name();
}

const COMMANDS = commandsOf(programOf()).map((command) => ({ name: nameOf(command), command }));

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

  it.each(COMMANDS.filter(({ name }) => name !== SERVE))(
    "tells with the help of $name also of the flags of all commands",
    async ({ name }) => {
      const { stdout, exitCode } = await runCaptured([...name.split(" "), "--help"]);
      expect(exitCode).toBe(EXIT.ok);
      expect(stdout).toContain("--json");
    },
  );

  it("has no flag that takes a secret: those are seen by everybody on the machine", () => {
    const flags = COMMANDS.flatMap(({ command }) => command.options).filter(
      ({ required, optional }) => required || optional,
    );
    expect(flags.map(({ long }) => long)).toContain("--kid");
    expect(flags.map(({ long }) => long).filter((flag) => /secret|token|password|key/.test(flag ?? ""))).toEqual([]);
  });

  it.each([
    ["stream", "delete", "x"],
    ["project", "remove", "x"],
    ["project", "revoke", "x", "kid"],
  ])("loses nothing that nobody has agreed to: %s %s", async (...argv) => {
    const ran = await runCaptured([...argv, "--json"]);
    expect(errorOf(ran)).toMatchObject({ exitCode: EXIT.usage, fix: expect.stringContaining("--yes") });
  });

  it("tells of errors as JSON where --json is, even among flags that it cannot read", async () => {
    const ran = await runCaptured(["tokn", "--json"]);
    expect(errorOf(ran)).toMatchObject({ code: "usage", exitCode: EXIT.usage });
    expect((await runCaptured(["tokn", "--", "--json"])).stderr).toMatch(/^✗/);
  });
});

describe("docs/cli.md, the contract for scripts,", () => {
  it.each(COMMANDS)("speaks of $name", ({ name }) => {
    expect(DOCS).toContain(`\`${name}`);
  });

  it("has every flag of setup", () => {
    const flags = COMMANDS.find(({ name }) => name === "setup")?.command.options.map(({ long }) => long ?? "") ?? [];
    expect(flags.filter((flag) => !DOCS.includes(`\`${flag}`))).toEqual([]);
  });

  it("has every exit code", () => {
    const codes = DOCS.matchAll(/^\| (\d+) +\|/gm);
    expect([...codes].map(([, code]) => Number(code))).toEqual(Object.values(EXIT));
  });

  it("has every code of an error that does not come from the server", () => {
    const sources = globSync("**/*.ts", { cwd: import.meta.dirname, exclude: ["**/*.test.ts", "testing/**"] });
    const codes = sources.flatMap((path) =>
      [...readFileSync(join(import.meta.dirname, path), "utf8").matchAll(/code: "([a-z-]+)"/g)].map(([, code]) => code),
    );
    expect(codes).toContain("usage");
    expect(codes.filter((code) => !DOCS.includes(`\`${code}\``))).toEqual([]);
  });
});
