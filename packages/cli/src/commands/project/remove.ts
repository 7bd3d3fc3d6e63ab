import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { confirmLoss, YES } from "../../prompts.ts";
import { projectPath } from "./paths.ts";

export function addRemove(project: Command, io: Io): void {
  const command = project
    .command("remove <name>")
    .description("remove a project and, in the background, all its streams")
    .option(...YES)
    .action(async (name: string, options: { yes?: true }, called: Command) => {
      const { output, server } = contextOf(called, io);
      await confirmLoss(io, `All streams of ${name} will be deleted. Remove the project?`, options.yes === true);
      const to = server();
      await to.sendJson("DELETE", projectPath(name), { headers: to.projectAuthorization() });
      await output.result({ removed: name }, "");
      output.note(`Removed the project ${name}. Its streams are being deleted.`);
    });
  examples(command, "durable-streams project remove demo");
}
