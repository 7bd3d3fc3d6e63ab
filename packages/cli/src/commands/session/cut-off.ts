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
    .description("stop a stream from reaching a session, or all sessions that a key or a user let follow it")
    .option("--session <session>", "this session")
    .option("--kid <kid>", "every session that a token signed by this key let follow it")
    .option("--user <user>", "every session that a token of this user let follow it")
    .option(...YES)
    .action(async (source: string, { session: id, kid, user, yes }: Options, called: Command) => {
      const { output, server } = contextOf(called, io);
      const query = Object.fromEntries(Object.entries({ session: id, kid, user }).filter(([, value]) => value));
      if (Object.keys(query).length !== 1) {
        throw usageError("Name the sessions to cut off in one way.", "--session SESSION, or --kid KID, or --user USER");
      }
      await confirmLoss(io, `They will receive nothing more from ${source}. Cut them off?`, yes === true);
      const to = server();
      const call = { headers: to.authorization("manage"), query, subject: { stream: source } };
      const facts = await to.sendJson<{ ended: number }>("DELETE", sourcePath(to, source), call);
      await output.result({ ...facts, source }, "");
      output.note(`Cut off ${counted(facts.ended, "session")} from ${source}.`);
    });
  examples(
    command,
    "durable-streams session cut-off chat-room-1 --session alice",
    "durable-streams session cut-off chat-room-1 --user mallory --yes",
  );
}
