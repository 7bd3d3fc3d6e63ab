import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { knownProfile, useProfile } from "../../profiles.ts";

export function addUse(profile: Command, io: Io): void {
  const command = profile
    .command("use <name>")
    .description("use this profile for all commands without --profile")
    .action(async (name: string, _options: object, called: Command) => {
      const { output } = contextOf(called, io);
      const { url } = knownProfile(io.env, name);
      useProfile(io.env, name);
      await output.result({ used: name, url }, "");
      output.note(`Commands now use ${url}.`);
    });
  examples(command, "durable-streams profile use staging");
}
