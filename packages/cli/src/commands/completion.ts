import { Argument, type Command } from "commander";

import { bashCompletion } from "../completion/bash.ts";
import { fishCompletion } from "../completion/fish.ts";
import { completionTree } from "../completion/tree.ts";
import { zshCompletion } from "../completion/zsh.ts";
import { contextOf } from "../context.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";

const SCRIPTS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;

export function completionCommand(program: Command, io: Io): void {
  const command = program
    .command("completion")
    .description("print a completion script for your shell")
    .addArgument(new Argument("<shell>").choices(Object.keys(SCRIPTS)))
    .action(async (shell: keyof typeof SCRIPTS, _options: object, called: Command) => {
      const { output } = contextOf(called, io);
      const script = SCRIPTS[shell](completionTree(program));
      await output.result({ shell, script }, script);
    });
  examples(
    command,
    'eval "$(durable-streams completion bash)"    # in ~/.bashrc',
    "durable-streams completion zsh > ~/.zfunc/_durable-streams    # a folder in fpath, set before compinit",
    "durable-streams completion fish > ~/.config/fish/completions/durable-streams.fish",
  );
}
