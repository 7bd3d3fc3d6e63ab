import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { table } from "../../output.ts";
import { subscriptionPath } from "./paths.ts";

interface Report {
  readonly attempts: readonly {
    readonly at: string;
    readonly wake_id: string;
    readonly status: number | string | null;
    readonly error: string | null;
  }[];
  readonly next_attempt_at: string | null;
}

export function addDeliveries(subscription: Command, io: Io): void {
  const command = subscription
    .command("deliveries <id>")
    .description("show the last attempts to wake a subscription's worker and the time of the next one")
    .action(async (id: string, _options: object, called: Command) => {
      const { output, server } = contextOf(called, io);
      const from = server();
      const call = { headers: from.authorization("read") };
      const report = await from.sendJson<Report>("GET", subscriptionPath(from, id, "deliveries"), call);
      const rows = report.attempts.map(({ at, wake_id: wake, status, error }) => [
        at,
        wake,
        String(status ?? "-"),
        error ?? "",
      ]);
      await output.result(report, table(rows));
      output.note(`Next attempt: ${report.next_attempt_at ?? "none"}.`);
    });
  examples(command, "durable-streams subscription deliveries orders");
}
