/** `config explain` and `config check`: the configuration that `serve` would start a server with here. */

import type { ConfigValue } from "@durable-streams-cloudflare/local";
import type { Command } from "commander";

import { contextOf } from "../context.ts";
import { CliError, EXIT } from "../failure.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { loadServer } from "./serve.ts";

export function explainCommand(config: Command, io: Io): void {
  const command = takingServeFlags(config.command("explain"))
    .description("show each option of the server that serve would start here, and where its value comes from")
    .action(async (_options: object, called: Command) => {
      const { formatConfig } = await loadServer();
      const values = await readConfig(called, io);
      await contextOf(called, io).output.result({ values }, formatConfig(values));
    });
  examples(command, "durable-streams config explain", "durable-streams config explain --profile prod");
}

export function checkCommand(config: Command, io: Io): void {
  const command = takingServeFlags(config.command("check"))
    .description("check the configuration of the server that serve would start here, and list everything that is wrong")
    .action(async (_options: object, called: Command) => {
      const values = await readConfig(called, io);
      const chosen = values.filter(({ layer }) => layer !== "default").length;
      const text = `The configuration is valid: ${chosen} of ${values.length} options differ from what serve would use by itself.`;
      await contextOf(called, io).output.result({ valid: true, chosen, options: values.length }, text);
    });
  examples(command, "durable-streams config check", "durable-streams config check --profile prod");
}

/** The server parses its own flags. */
function takingServeFlags(command: Command): Command {
  return command.allowUnknownOption().allowExcessArguments().usage("[flags of serve]");
}

/** @throws CliError which lists everything that is wrong. */
async function readConfig(called: Command, { env, cwd }: Io): Promise<readonly ConfigValue[]> {
  const { explainConfig, Failure } = await loadServer();
  // This program has a flag of the same name, and has taken it.
  const { profile } = called.optsWithGlobals<{ profile?: string }>();
  const flags = profile === undefined ? called.args : [...called.args, "--profile", profile];
  try {
    return await explainConfig(flags, { env, cwd });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new CliError(error.message, { code: "config-invalid", fix: error.fix, exitCode: EXIT.usage, cause: error });
  }
}
