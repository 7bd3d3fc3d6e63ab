import type { Command } from "commander";

import { parseServerUrl } from "../../connection.ts";
import { contextOf } from "../../context.ts";
import { usageError } from "../../failure.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { isProfileName, writeProfile } from "../../profiles.ts";

export function addAdd(profile: Command, io: Io): void {
  const command = profile
    .command("add <name> <url>")
    .description("save a server under a name, together with --project; replaces an existing profile")
    .action(async (name: string, url: string, _options: object, called: Command) => {
      const { output, globals } = contextOf(called, io);
      if (!isProfileName(name)) {
        throw usageError(
          `${JSON.stringify(name)} is not a valid name for a profile.`,
          "use up to 63 letters, digits and - _ .",
        );
      }
      const { project } = globals;
      const added = { url: parseServerUrl(url), ...(project === undefined ? {} : { project }) };
      writeProfile(io.env, name, added);
      await output.result({ name, ...added, project: project ?? null }, "");
      output.note(`Use it with durable-streams profile use ${name}, or add --profile ${name} to a command.`);
    });
  examples(
    command,
    "durable-streams profile add local http://localhost:4437",
    "durable-streams profile add staging https://streams.example.com --project demo",
  );
}
