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
    .description("remember a server by a name, with --project if its streams belong to one; replaces what it was")
    .action(async (name: string, url: string, _options: object, called: Command) => {
      const { output, globals } = contextOf(called, io);
      if (!isProfileName(name)) {
        throw usageError(`${JSON.stringify(name)} cannot be a profile's name.`, "use letters, digits, - _ and .");
      }
      const { project } = globals;
      const added = { url: parseServerUrl(url), ...(project === undefined ? {} : { project }) };
      writeProfile(io.env, name, added);
      await output.result({ name, ...added, project: project ?? null }, "");
      output.note(`Use it: durable-streams profile use ${name}, or --profile ${name} with a command.`);
    });
  examples(
    command,
    "durable-streams profile add local http://localhost:4437",
    "durable-streams profile add staging https://streams.example.com --project demo",
  );
}
