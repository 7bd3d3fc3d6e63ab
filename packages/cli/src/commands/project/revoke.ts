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
    .description("remove a secret: tokens that it signed are void within a minute and a half")
    .option("--end-links", "also stop every session from following what a token signed by it let it follow")
    .option(...YES)
    .action(async (name: string, kid: string, options: Options, called: Command) => {
      const { output, server } = contextOf(called, io);
      await confirmLoss(io, `Tokens signed by ${kid} will no longer open ${name}. Revoke it?`, options.yes === true);
      const to = server();
      const path = `${projectPath(name)}/secrets/${encodeURIComponent(kid)}`;
      const query = options.endLinks ? { endLinks: "true" } : {};
      await to.sendJson("DELETE", path, { headers: to.projectAuthorization(), query });
      await output.result({ project: name, revoked: kid }, "");
      output.note(`Revoked ${kid} of ${name}.`);
    });
  examples(
    command,
    "durable-streams project revoke demo yWiBCXjba0Hg",
    "durable-streams project revoke demo yWiBCXjba0Hg --end-links --yes",
  );
}
