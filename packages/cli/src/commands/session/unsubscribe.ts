import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { changeSources, reportSources } from "./change-sources.ts";

export function unsubscribeCommand(program: Command, io: Io): void {
  const command = program
    .command("unsubscribe <session> <source...>")
    .description("unsubscribe a session from these streams")
    .action(async (session: string, sources: string[], _options: object, called: Command) => {
      const { output, server } = contextOf(called, io);
      await reportSources(output, await changeSources(server(), "DELETE", session, { sources }));
    });
  examples(command, "durable-streams unsubscribe alice chat-room-1");
}
