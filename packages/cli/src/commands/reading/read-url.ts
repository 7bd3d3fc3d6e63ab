/** `read-url …`: URLs that give read access to one stream without a header (docs/projects.md). */

import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { parseDuration } from "../../duration.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { confirmLoss, YES } from "../../prompts.ts";
import { projectPath } from "../project/paths.ts";

interface Signed {
  readonly token: string;
  readonly expiresAt: string;
}

export function readUrlCommand(program: Command, io: Io): void {
  const readUrl = program
    .command("read-url")
    .description("create and revoke URLs that give temporary read access to a stream without a header");
  addCreate(readUrl, io);
  addRevoke(readUrl, io);
  examples(readUrl, "durable-streams read-url create chat --expires 12h");
}

function addCreate(readUrl: Command, io: Io): void {
  const command = readUrl
    .command("create <stream>")
    .description("create a URL with which anybody can read a stream until it expires")
    .option("--expires <duration>", "lifetime of the URL, such as 90s, 15m, 12h; at most 7d", "1h")
    .action(async (name: string, options: { expires: string }, called: Command) => {
      const { output, server } = contextOf(called, io);
      const to = server();
      const { token, expiresAt } = await to.sendJson<Signed>("POST", `${projectPath(to.project)}/read-urls`, {
        json: { stream: name, expiresInSeconds: parseDuration(options.expires) },
        headers: to.projectAuthorization(),
        subject: { stream: name },
      });
      const url = `${to.streamUrl(name)}?token=${encodeURIComponent(token)}`;
      await output.result({ stream: name, url, expiresAt }, url);
      output.note(`The URL is valid until ${expiresAt}. Add offset= and live= to it as to any URL of a stream.`);
    });
  examples(
    command,
    "durable-streams read-url create chat",
    'curl "$(durable-streams read-url create chat --expires 15m --quiet)&offset=-1"',
  );
}

function addRevoke(readUrl: Command, io: Io): void {
  const command = readUrl
    .command("revoke")
    .description("revoke all read URLs of the project that exist now")
    .option(...YES)
    .action(async (options: { yes?: true }, called: Command) => {
      const { output, server } = contextOf(called, io);
      const to = server();
      await confirmLoss(io, `All read URLs of ${to.project} will stop working. Revoke them?`, options.yes === true);
      await to.sendJson("DELETE", `${projectPath(to.project)}/read-urls`, { headers: to.projectAuthorization() });
      await output.result({ project: to.project, revoked: true }, "");
      output.note(`Revoked all read URLs of ${to.project}.`);
    });
  examples(command, "durable-streams read-url revoke --project demo");
}
