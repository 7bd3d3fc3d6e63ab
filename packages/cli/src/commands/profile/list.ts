import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { table } from "../../output.ts";
import { readProfiles, usedProfile } from "../../profiles.ts";

export function addList(profile: Command, io: Io): void {
  const command = profile
    .command("list")
    .alias("ls")
    .description("list the profiles and mark the one in use with *")
    .action(async (_options: object, called: Command) => {
      const { output } = contextOf(called, io);
      const used = usedProfile(io.env);
      const profiles = Object.entries(readProfiles(io.env)).map(([name, { url, project }]) => ({
        name,
        url,
        project: project ?? null,
        isUsed: name === used,
      }));
      const rows = profiles.map(({ name, url, project, isUsed }) => [isUsed ? "*" : " ", name, url, project ?? ""]);
      await output.result({ profiles }, table(rows));
    });
  examples(command, "durable-streams profile list");
}
