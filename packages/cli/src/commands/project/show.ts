import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { table } from "../../output.ts";
import { projectPath, type Project } from "./paths.ts";
import { flattenSettings } from "./settings.ts";

export function addShow(project: Command, io: Io): void {
  const command = project
    .command("show <name>")
    .description("show a project's settings and limits")
    .action(async (name: string, _options: object, called: Command) => {
      const { output, server } = contextOf(called, io);
      const from = server();
      const call = { headers: from.projectAuthorization() };
      const found = await from.sendJson<{ project: Project }>("GET", projectPath(name), call);
      await output.result(found, describe(found.project));
    });
  examples(command, "durable-streams project show demo");
}

/** Formats the settings as `project set` takes them. */
export function describe({ name, createdAtMs, secrets, readUrlsFromMs: _void, ...settings }: Project): string {
  const kids = secrets.map(({ kid }) => kid).join(" ");
  const fields = [
    ["name:", name],
    ["created:", new Date(createdAtMs).toISOString()],
    ["secrets:", kids],
  ];
  return `${table(fields)}\n\n${flattenSettings(settings)
    .map(([setting, value]) => `${setting}=${value}`)
    .join("\n")}`;
}
