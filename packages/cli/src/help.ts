/** The format of help texts: every command has examples, and the common options are listed only once. */

import type { Command, HelpConfiguration } from "commander";

import type { Colors } from "./colors.ts";

export const PROGRAM = "durable-streams";

/** Everything that can follow the program's name, to tell commands from other uses of that name in a text. */
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
  "takeover",
  "reshard",
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

/** Writes the commands in a text as this user runs them. @param invokedAs such as `npm run cli --`; default: the program. */
export function asInvoked(text: string, invokedAs: string | undefined): string {
  return invokedAs === undefined ? text : text.replace(CALL, () => `${invokedAs} `);
}

const EXAMPLES = new WeakMap<Command, readonly string[]>();

/** Adds examples to the command's help. Each line is a complete shell command that can be pasted. */
export function examples(command: Command, ...lines: readonly string[]): Command {
  EXAMPLES.set(command, lines);
  return command.addHelpText("after", listed(lines));
}

export function examplesOf(command: Command): readonly string[] {
  return EXAMPLES.get(command) ?? [];
}

/** Refers to the common options below the help of each command, instead of repeating them. */
export function addGlobalOptionsHint(program: Command): void {
  const flags = program.options.map(({ long }) => long).join(" ");
  program.addHelpText("afterAll", ({ command }) =>
    command === program ? "" : `\nCommon options (see ${PROGRAM} --help): ${flags}\n`,
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
