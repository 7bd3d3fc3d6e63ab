import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { confirmLoss, YES } from "../../prompts.ts";
import { projectPath } from "./paths.ts";

interface Options {
  readonly endLinks?: true;
  readonly yes?: true;
}

export function addRevoke(project: Command, io: Io): void {
  const command = project
    .command("revoke <name> <kid>")
    .description("remove a secret; the tokens that it signed become invalid within 90 seconds")
    .option(
      "--end-links",
      "also end every link between a session and a source that was made with a token signed by this secret",
    )
    .option(...YES)
    .action(async (name: string, kid: string, options: Options, called: Command) => {
      const { output, server } = contextOf(called, io);
      await confirmLoss(
        io,
        `Tokens signed by ${kid} will no longer give access to ${name}. Revoke the secret?`,
        options.yes === true,
      );
      const to = server();
      const path = `${projectPath(name)}/secrets/${encodeURIComponent(kid)}`;
      const query = options.endLinks ? { endLinks: "true" } : {};
      await to.sendJson("DELETE", path, { headers: to.projectAuthorization(), query });
      await output.result({ project: name, revoked: kid }, "");
      output.note(`Revoked the secret ${kid} of ${name}.`);
    });
  examples(
    command,
    "durable-streams project revoke demo yWiBCXjba0Hg",
    "durable-streams project revoke demo yWiBCXjba0Hg --end-links --yes",
  );
}
