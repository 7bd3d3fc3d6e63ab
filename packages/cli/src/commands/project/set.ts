import type { Command } from "commander";

import { ENVIRONMENT } from "../../connection.ts";
import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { projectPath, type Project } from "./paths.ts";
import { parseSettings } from "./settings.ts";
import { describe } from "./show.ts";

export function addSet(project: Command, io: Io): void {
  const command = project
    .command("set <name> <setting=value...>")
    .description(`change settings and limits, named as in \`project show\` (limits need ${ENVIRONMENT.adminSecret})`)
    .addHelpText(
      "after",
      "\nValues: none means null, a,b is a list, and settings that end in Seconds accept durations such as 30d.",
    )
    .action(async (name: string, settings: string[], _options: object, called: Command) => {
      const { output, server } = contextOf(called, io);
      const json = parseSettings(settings);
      const to = server();
      const call = { json, headers: to.projectAuthorization() };
      const changed = await to.sendJson<{ project: Project }>("PATCH", projectPath(name), call);
      await output.result(changed, describe(changed.project));
      output.note(`Changed ${name}. The change takes effect everywhere within 90 seconds.`);
    });
  examples(
    command,
    "durable-streams project set demo limits.streams=1000 limits.requestsPerMinute=6000",
    "durable-streams project set demo 'publicStreams=news/*,status' corsOrigins=https://app.example.com",
    "durable-streams project set demo defaults.ttlSeconds=30d audience=none",
  );
}
