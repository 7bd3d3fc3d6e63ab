import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { parseCount } from "../../numbers.ts";
import { table } from "../../output.ts";
import { subscriptionPath } from "./paths.ts";

interface Page {
  readonly subscriptions: readonly {
    readonly id: string;
    readonly type: string;
    readonly pattern: string | null;
    readonly created_at: string;
  }[];
  readonly cursor: string | null;
}

export function addList(subscription: Command, io: Io): void {
  const command = subscription
    .command("list")
    .alias("ls")
    .description("list the project's subscriptions")
    .option("--limit <n>", "list at most this many entries")
    .action(async (options: { limit?: string }, called: Command) => {
      const { output, server } = contextOf(called, io);
      const from = server();
      const limit = parseCount("--limit", options.limit);
      const call = { headers: from.authorization("read") };
      const bounds = { limit, count: (page: Page) => page.subscriptions.length };
      const pages = await from.sendPages<Page>(subscriptionPath(from), call, bounds);
      const subscriptions = pages.flatMap((page) => page.subscriptions).slice(0, limit);
      const rows = subscriptions.map(({ id, type, pattern, created_at: at }) => [id, type, pattern ?? "-", at]);
      await output.result({ subscriptions }, table(rows));
    });
  examples(command, "durable-streams subscription list", "durable-streams subscription ls --limit 20 --json");
}
