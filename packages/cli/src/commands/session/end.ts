import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { confirmLoss, YES } from "../../prompts.ts";
import { sessionPath } from "./paths.ts";

export function addEnd(session: Command, io: Io): void {
  const command = session
    .command("end <session>")
    .description("end a session: delete its stream and stop its deliveries; its sources are not affected")
    .option(...YES)
    .action(async (name: string, options: { yes?: true }, called: Command) => {
      const { output, server } = contextOf(called, io);
      await confirmLoss(
        io,
        `All messages in the session ${name} will be deleted. End the session?`,
        options.yes === true,
      );
      const to = server();
      await to.send("DELETE", sessionPath(to, name), { headers: to.authorization("manage") });
      await output.result({ session: name, ended: true }, "");
      output.note(`Ended the session ${name}.`);
    });
  examples(command, "durable-streams session end alice");
}
