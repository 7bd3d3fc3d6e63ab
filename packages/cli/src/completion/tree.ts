import type { Command } from "commander";

export interface Word {
  readonly word: string;
  readonly description: string;
}

/** What can follow some words of a command line. */
export interface Node {
  /** The words before, such as `stream create`; empty after the program's name. */
  readonly path: string;
  readonly commands: readonly Word[];
  readonly flags: readonly Word[];
}

/** Every command with its completions, which include the common flags. */
export function completionTree(program: Command): Node[] {
  const globals = flagsOf(program);
  const visit = (command: Command, path: string): Node[] => {
    const node = {
      path,
      commands: command.commands.map((each) => ({ word: each.name(), description: each.description() })),
      flags: command === program ? globals : [...flagsOf(command), ...globals],
    };
    const below = command.commands.flatMap((each) =>
      [each.name(), ...each.aliases()].flatMap((name) => visit(each, `${path} ${name}`.trim())),
    );
    return [node, ...below];
  };
  return visit(program, "");
}

function flagsOf(command: Command): Word[] {
  const flags = command.options.map(({ long, description }) => ({ word: long ?? "", description }));
  return [...flags, { word: "--help", description: "display help for command" }];
}
