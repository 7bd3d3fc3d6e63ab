import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { confirmLoss, YES } from "../../prompts.ts";
import { subscriptionPath } from "./paths.ts";

export function addDelete(subscription: Command, io: Io): void {
  const command = subscription
    .command("delete <id>")
    .description("delete a subscription and its acknowledged offsets")
    .option(...YES)
    .action(async (id: string, options: { yes?: true }, called: Command) => {
      const { output, server } = contextOf(called, io);
      await confirmLoss(io, `The subscription ${id} will no longer wake workers. Delete it?`, options.yes === true);
      const to = server();
      await to.send("DELETE", subscriptionPath(to, id), { headers: to.authorization("manage") });
      await output.result({ id, deleted: true }, "");
      output.note(`Deleted the subscription ${id}.`);
    });
  examples(command, "durable-streams subscription delete orders");
}
