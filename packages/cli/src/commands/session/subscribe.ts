import { Option, type Command } from "commander";

import { contextOf } from "../../context.ts";
import { parseDuration } from "../../duration.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { shellWord } from "../../shell-word.ts";
import { changeSources, reportSources } from "./change-sources.ts";

interface Options {
  readonly from: string;
  readonly format: string;
  readonly expires?: string;
  readonly create?: string | true;
}

export function subscribeCommand(program: Command, io: Io): void {
  const command = program
    .command("subscribe <session> <source...>")
    .description("subscribe a session to these streams, and create the session if it does not exist")
    .option("--from <offset>", "begin at this offset of the sources: now, -1, or an offset", "now")
    .addOption(
      new Option("--format <format>", "format of the messages in the session")
        .choices(["raw", "envelope"])
        .default("raw"),
    )
    .option("--expires <duration>", "end the subscription after this time, such as 90s, 12h, 30d (default: never)")
    .option("--create [type]", "create missing sources with this content type (default: the project's)")
    .action(async (session: string, sources: string[], options: Options, called: Command) => {
      const { output, server } = contextOf(called, io);
      const answer = await changeSources(server(), "POST", session, { sources, ...bodyOf(options) });
      await reportSources(output, answer);
      output.note(`To read the session: durable-streams stream tail ${shellWord(session)} --offset -1`);
    });
  examples(
    command,
    "durable-streams subscribe alice chat-room-1 chat-room-2",
    "durable-streams subscribe alice chat-room-1 --from -1 --format envelope",
    "durable-streams subscribe alice new-room --expires 12h --create application/json",
  );
}

function bodyOf({ from, format, expires, create }: Options): object {
  return {
    from,
    format,
    ...(expires === undefined ? {} : { expiresInSeconds: parseDuration(expires) }),
    ...(create === undefined ? {} : { create: create === true ? {} : { contentType: create } }),
  };
}
