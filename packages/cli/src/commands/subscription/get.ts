import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { table } from "../../output.ts";
import { subscriptionPath } from "./paths.ts";

interface Described {
  readonly streams: readonly { readonly path: string; readonly acked_offset: string }[];
  readonly [field: string]: unknown;
}

export function addGet(subscription: Command, io: Io): void {
  const command = subscription
    .command("get <id>")
    .description("show a subscription and the acknowledged offset of each stream")
    .action(async (id: string, _options: object, called: Command) => {
      const { output, server } = contextOf(called, io);
      const from = server();
      const call = { headers: from.authorization("read") };
      const found = await from.sendJson<Described>("GET", subscriptionPath(from, id), call);
      await output.result(found, describe(found));
    });
  examples(command, "durable-streams subscription get orders");
}

function describe({ streams, ...fields }: Described): string {
  const known = Object.entries(fields).filter(([, value]) => value !== null && value !== undefined);
  const rows = known.map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]);
  return table([...rows, ...streams.map(({ path, acked_offset: acked }) => [`acked ${path}`, acked])]);
}
