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
    .description(`change settings and limits, named as \`project show\` does (limits need ${ENVIRONMENT.adminSecret})`)
    .addHelpText("after", "\nValues: none for null, a,b for lists, durations such as 30d for what ends in Seconds.")
    .action(async (name: string, settings: string[], _options: object, called: Command) => {
      const { output, server } = contextOf(called, io);
      const json = parseSettings(settings);
      const to = server();
      const call = { json, headers: to.projectAuthorization() };
      const changed = await to.sendJson<{ project: Project }>("PATCH", projectPath(name), call);
      await output.result(changed, describe(changed.project));
      output.note(`Changed ${name}. Every edge knows it within a minute and a half.`);
    });
  examples(
    command,
    "durable-streams project set demo limits.streams=1000 limits.requestsPerMinute=6000",
    "durable-streams project set demo 'publicStreams=news/*,status' corsOrigins=https://app.example.com",
    "durable-streams project set demo defaults.ttlSeconds=30d audience=none",
  );
}
