import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { usageError } from "../../failure.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { counted } from "../../numbers.ts";
import { confirmLoss, YES } from "../../prompts.ts";
import { sourcePath } from "./paths.ts";

interface Options {
  readonly session?: string;
  readonly kid?: string;
  readonly user?: string;
  readonly yes?: true;
}

export function addCutOff(session: Command, io: Io): void {
  const command = session
    .command("cut-off <source>")
    .description("stop sessions from following a stream: one session, or all that a key or a user subscribed")
    .option("--session <session>", "cut off this session")
    .option("--kid <kid>", "cut off every session that was subscribed with a token signed by this key")
    .option("--user <user>", "cut off every session that was subscribed with a token of this user")
    .option(...YES)
    .action(async (source: string, { session: id, kid, user, yes }: Options, called: Command) => {
      const { output, server } = contextOf(called, io);
      const query = Object.fromEntries(Object.entries({ session: id, kid, user }).filter(([, value]) => value));
      if (Object.keys(query).length !== 1) {
        throw usageError(
          "Exactly one of --session, --kid and --user is required.",
          "use --session SESSION, --kid KID or --user USER",
        );
      }
      await confirmLoss(io, `The selected sessions will receive nothing more from ${source}. Continue?`, yes === true);
      const to = server();
      const call = { headers: to.authorization("manage"), query, subject: { stream: source } };
      const result = await to.sendJson<{ ended: number }>("DELETE", sourcePath(to, source), call);
      await output.result({ ...result, source }, "");
      output.note(`Cut off ${counted(result.ended, "session")} from ${source}.`);
    });
  examples(
    command,
    "durable-streams session cut-off chat-room-1 --session alice",
    "durable-streams session cut-off chat-room-1 --user mallory --yes",
  );
}
