/** `subscription …`: the protocol's subscriptions, which wake workers (docs/subscriptions.md). */

import type { Command } from "commander";

import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { addCreate } from "./create.ts";
import { addDelete } from "./delete.ts";
import { addDeliveries } from "./deliveries.ts";
import { addGet } from "./get.ts";
import { addList } from "./list.ts";

export function subscriptionCommand(program: Command, io: Io): void {
  const subscription = program
    .command("subscription")
    .description("manage subscriptions, which wake a worker by webhook or by an event in a stream");
  for (const add of [addCreate, addGet, addList, addDelete, addDeliveries]) add(subscription, io);
  examples(subscription, "durable-streams subscription list", "durable-streams subscription deliveries orders");
}
