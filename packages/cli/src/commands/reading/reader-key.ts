/** `reader-key …`: a key that all readers of a stream share, so that a CDN can serve them from one cached copy. */

import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { confirmLoss, YES } from "../../prompts.ts";
import { projectPath } from "../project/paths.ts";

export function readerKeyCommand(program: Command, io: Io): void {
  const readerKey = program
    .command("reader-key")
    .description("create and revoke keys that let many readers share one cached copy");
  addCreate(readerKey, io);
  addRevoke(readerKey, io);
  examples(readerKey, "durable-streams reader-key create news");
}

function addCreate(readerKey: Command, io: Io): void {
  const command = readerKey
    .command("create <stream>")
    .description("create a new reader key for a stream, which replaces the previous one")
    .option(...YES)
    .action(async (name: string, options: { yes?: true }, called: Command) => {
      const { output, server } = contextOf(called, io);
      const to = server();
      await confirmLoss(io, `An existing reader key of ${name} will stop working. Continue?`, options.yes === true);
      const { key } = await to.sendJson<{ key: string }>("POST", `${projectPath(to.project)}/reader-keys`, {
        json: { stream: name },
        headers: to.projectAuthorization(),
        subject: { stream: name },
      });
      const url = `${to.streamUrl(name)}?key=${encodeURIComponent(key)}`;
      await output.result({ stream: name, readerKey: key, url }, url);
    });
  examples(command, "durable-streams reader-key create news --yes");
}

function addRevoke(readerKey: Command, io: Io): void {
  const command = readerKey
    .command("revoke <stream>")
    .description("revoke the reader key of a stream")
    .option(...YES)
    .action(async (name: string, options: { yes?: true }, called: Command) => {
      const { output, server } = contextOf(called, io);
      const to = server();
      await confirmLoss(io, `The reader key of ${name} will stop working. Revoke it?`, options.yes === true);
      const path = `${projectPath(to.project)}/reader-keys`;
      const call = { headers: to.projectAuthorization(), query: { stream: name }, subject: { stream: name } };
      await to.sendJson("DELETE", path, call);
      await output.result({ stream: name, revoked: true }, "");
      output.note(`Revoked the reader key of ${name}.`);
    });
  examples(command, "durable-streams reader-key revoke news");
}
