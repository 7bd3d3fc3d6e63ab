import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { knownProfile, removeProfile } from "../../profiles.ts";

export function addRemove(profile: Command, io: Io): void {
  const command = profile
    .command("remove <name>")
    .description("remove a profile; its server is not affected")
    .action(async (name: string, _options: object, called: Command) => {
      const { output } = contextOf(called, io);
      knownProfile(io.env, name);
      removeProfile(io.env, name);
      await output.result({ removed: name }, "");
      output.note(`Removed the profile ${name}.`);
    });
  examples(command, "durable-streams profile remove staging");
}
