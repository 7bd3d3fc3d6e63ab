/** How help looks: examples for every command, and what holds for all of them said once. */

import type { Command, HelpConfiguration } from "commander";

import type { Colors } from "./colors.ts";

export const PROGRAM = "durable-streams";

/** All that can stand behind the program's name, so that it is told from other uses of that word. */
export const COMMAND_NAMES = [
  "stream",
  "session",
  "subscribe",
  "unsubscribe",
  "subscription",
  "create-project",
  "project",
  "token",
  "read-url",
  "reader-key",
  "stats",
  "serve",
  "backup",
  "restore",
  "verify",
  "setup",
  "dev",
  "destroy",
  "doctor",
  "open",
  "profile",
  "config",
  "completion",
];

const CALL = new RegExp(`\\b${PROGRAM} (?=(${COMMAND_NAMES.join("|")}|--[a-z]+)\\b)`, "g");

/** Commands in a text as this user calls them. @param invokedAs such as `npm run cli --`; `undefined`: by the program's name. */
export function asInvoked(text: string, invokedAs: string | undefined): string {
  return invokedAs === undefined ? text : text.replace(CALL, () => `${invokedAs} `);
}

const EXAMPLES = new WeakMap<Command, readonly string[]>();

/** Lines to paste, shown with the command's help. A line is a whole shell command that calls the program. */
export function examples(command: Command, ...lines: readonly string[]): Command {
  EXAMPLES.set(command, lines);
  return command.addHelpText("after", listed(lines));
}

export function examplesOf(command: Command): readonly string[] {
  return EXAMPLES.get(command) ?? [];
}

/** Below the help of each command, instead of the options of the program again. */
export function addGlobalOptionsHint(program: Command): void {
  const flags = program.options.map(({ long }) => long).join(" ");
  program.addHelpText("afterAll", ({ command }) =>
    command === program ? "" : `\nOptions of all commands (${PROGRAM} --help): ${flags}\n`,
  );
}

export function helpStyle({ bold, cyan }: Colors): HelpConfiguration {
  return {
    styleTitle: bold,
    styleCommandText: cyan,
    styleSubcommandText: cyan,
    styleOptionText: cyan,
    showGlobalOptions: false,
  };
}

function listed(lines: readonly string[]): string {
  return `\n${lines.length === 1 ? "Example" : "Examples"}:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}
