import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { Command } from "commander";
import { describe, expect, it } from "vitest";

import { SERVE } from "./commands/serve.ts";
import { EXIT } from "./failure.ts";
import { asInvoked, COMMAND_NAMES, examplesOf } from "./help.ts";
import { errorOf, programOf, runCaptured } from "./testing/captured-io.ts";

const DOCS = readFileSync(join(import.meta.dirname, "../../../docs/cli.md"), "utf8");

/** The commands with an action; for groups of commands, their subcommands. */
function commandsOf(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(commandsOf);
}

/** The command as it is typed, without the program's name. */
function nameOf(command: Command): string {
  const parent = command.parent?.parent === null ? "" : `${command.parent?.name() ?? ""} `;
  return parent + command.name();
}

/** Finds the command of a command line; common flags may come before it. */
function commandOf(program: Command, args: readonly string[]): { command: Command; rest: readonly string[] } {
  const globals = args.findIndex((word, index) => !word.startsWith("--") && !args[index - 1]?.startsWith("--"));
  let [command, rest] = [program, args.slice(Math.max(globals, 0))];
  for (;;) {
    const next = command.commands.find((each) => [each.name(), ...each.aliases()].includes(rest[0] ?? ""));
    if (next === undefined) return { command, rest };
    [command, rest] = [next, rest.slice(1)];
  }
}

/** Includes commands that only group others. */
const ALL = programOf()
  .commands.flatMap((command) => [command, ...command.commands])
  .map((command) => ({ name: nameOf(command), command }));

const COMMANDS = commandsOf(programOf()).map((command) => ({ name: nameOf(command), command }));

describe("the program", () => {
  it("prints help on stdout with --help, and on stderr without arguments", async () => {
    const asked = await runCaptured(["--help"]);
    expect(asked).toMatchObject({ exitCode: EXIT.ok, stdout: expect.stringContaining("Usage: "), stderr: "" });
    const silent = await runCaptured([]);
    expect(silent).toMatchObject({ exitCode: EXIT.usage, stdout: "", stderr: expect.stringContaining("Usage: ") });
  });

  it.each([
    [["tokn"], "Fix: did you mean token?"],
    [["--jsn"], "Fix: did you mean --json?"],
    [["token", "--scope", "all"], "read, write, manage"],
    [["token", "extra"], "Too many arguments"],
  ])("refuses %j with exit code 2 and suggests a correction", async (argv, meant) => {
    const ran = await runCaptured(argv);
    expect(ran).toMatchObject({ exitCode: EXIT.usage, stdout: "" });
    expect(ran.stderr).toContain(meant);
    expect(ran.stderr).toContain("Fix: ");
  });

  it.each(ALL.filter(({ name }) => name !== SERVE))(
    "shows examples in the help of $name, and the common flags on one line",
    async ({ name }) => {
      const { stdout, exitCode } = await runCaptured([...name.split(" "), "--help"]);
      expect(exitCode).toBe(EXIT.ok);
      expect(stdout).toMatch(/^Examples?:\n {2}/m);
      expect(stdout).not.toContain("print only warnings");
      expect(stdout).toMatch(/^Common options .*--json/m);
    },
  );

  it.each(
    ALL.filter(({ name }) => name !== SERVE).flatMap(({ command }) =>
      examplesOf(command).map((example) => ({ example })),
    ),
  )("can parse the example $example", ({ example }) => {
    const [, line = ""] = /durable-streams (.*)$/.exec(example) ?? [];
    const [words = ""] = line.split(/ [|<>#]|\)/, 1);
    const args = (words.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replaceAll("'", ""));
    const { command, rest } = commandOf(programOf(), args);
    const flags = [...command.options, ...programOf().options].map(({ long, short }) => [long, short]);
    for (const flag of rest.filter((word) => word.startsWith("-") && !/^-\d/.test(word))) {
      expect([example, flags.flat()]).toEqual([example, expect.arrayContaining([flag])]);
    }
    expect([example, command.commands]).toEqual([example, []]);
  });

  it("has no flag that takes a secret, because every user of the machine can see flags", () => {
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
    ["session", "end", "x"],
    ["session", "cut-off", "x", "--user", "y"],
    ["subscription", "delete", "x"],
    ["read-url", "revoke"],
    ["reader-key", "create", "x"],
    ["reader-key", "revoke", "x"],
  ])("deletes nothing without confirmation: %s %s", async (...argv) => {
    const ran = await runCaptured([...argv, "--json"]);
    expect(errorOf(ran)).toMatchObject({ exitCode: EXIT.usage, fix: expect.stringContaining("--yes") });
  });

  it("prints errors as JSON with --json, even next to flags that it does not know", async () => {
    const ran = await runCaptured(["tokn", "--json"]);
    expect(errorOf(ran)).toMatchObject({ code: "usage", exitCode: EXIT.usage });
    expect((await runCaptured(["tokn", "--", "--json"])).stderr).toMatch(/^✗/);
  });
});

describe("when the program is run under another name,", () => {
  it("its hints are commands that can be pasted", async () => {
    const env = { DURABLE_STREAMS_INVOKED_AS: "npm run cli --" };
    expect((await runCaptured(["token"], { env })).stderr).toContain(
      "Fix: DURABLE_STREAMS_SECRET=… npm run cli -- token",
    );
    expect((await runCaptured(["token"])).stderr).toContain("Fix: DURABLE_STREAMS_SECRET=… durable-streams token");
    expect(asInvoked("All of durable-streams will be lost.", "x")).toBe("All of durable-streams will be lost.");
  });

  it("knows every command", () => {
    expect(COMMAND_NAMES.toSorted()).toEqual(
      programOf()
        .commands.map((command) => command.name())
        .toSorted(),
    );
  });
});

describe("colours", () => {
  it("are used only on terminals, unless they are forced or turned off", async () => {
    const painted = expect.stringContaining("\u001b[");
    expect(await runCaptured(["tokn"], { isTerminal: true })).toMatchObject({ stderr: painted });
    expect((await runCaptured(["--help"], { isTerminal: true })).stdout).toEqual(painted);
    expect((await runCaptured(["tokn"], { env: { FORCE_COLOR: "1" } })).stderr).toEqual(painted);
    for (const argv of [["tokn"], ["--help"]]) {
      expect(Object.values(await runCaptured(argv)).join("")).not.toContain("\u001b[");
      const refused = await runCaptured([...argv, "--no-color"], { isTerminal: true });
      expect(Object.values(refused).join("")).not.toContain("\u001b[");
      const without = await runCaptured(argv, { isTerminal: true, env: { NO_COLOR: "1" } });
      expect(Object.values(without).join("")).not.toContain("\u001b[");
    }
  });
});

describe("the version", () => {
  it("is the package's version, with the commit in a clone", async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8")) as {
      version: string;
    };
    const ran = await runCaptured(["-V"]);
    expect(ran).toMatchObject({ exitCode: EXIT.ok, stderr: "" });
    expect(ran.stdout).toMatch(new RegExp(`^${version.replaceAll(".", "[.]")}(\\+[0-9a-f]{7,})?\n$`));
    expect((await runCaptured(["--version"])).stdout).toBe(ran.stdout);
  });
});

describe("docs/cli.md, the contract for scripts,", () => {
  it.each(COMMANDS)("mentions $name", ({ name }) => {
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
