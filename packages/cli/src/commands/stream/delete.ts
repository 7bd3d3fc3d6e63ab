import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { confirmLoss, YES } from "../../prompts.ts";

export function addDelete(stream: Command, io: Io): void {
  const command = stream
    .command("delete <stream>")
    .description("delete a stream and everything in it")
    .option(...YES)
    .action(async (name: string, options: { yes?: true }, called: Command) => {
      const { output, server } = contextOf(called, io);
      await confirmLoss(io, `All data of ${name} will be deleted. Continue?`, options.yes === true);
      const to = server();
      await to.send("DELETE", to.streamPath(name), { headers: to.authorization("manage") });
      await output.result({ stream: name, deleted: true }, "");
      output.note(`Deleted ${name}.`);
    });
  examples(command, "durable-streams stream delete chat", "durable-streams stream delete chat --yes");
}
