import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { table } from "../../output.ts";
import { projectPath, type Project } from "./paths.ts";

export function addKeys(project: Command, io: Io): void {
  const command = project
    .command("keys <name>")
    .description("list the ids of a project's secrets, newest first")
    .action(async (name: string, _options: object, called: Command) => {
      const { output, server } = contextOf(called, io);
      const from = server();
      const call = { headers: from.projectAuthorization() };
      const found = await from.sendJson<{ project: Project }>("GET", projectPath(name), call);
      const keys = found.project.secrets.map(({ kid, createdAtMs }) => ({
        kid,
        createdAt: new Date(createdAtMs).toISOString(),
      }));
      await output.result({ project: name, keys }, table(keys.map(({ kid, createdAt }) => [kid, createdAt])));
    });
  examples(command, "durable-streams project keys demo");
}
