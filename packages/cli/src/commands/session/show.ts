import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { table } from "../../output.ts";
import { sessionPath } from "./paths.ts";

interface Described {
  readonly estuaryId: string;
  readonly contentType: string | null;
  readonly expiresAt: string;
  readonly subscriptions: readonly { readonly source: string; readonly [field: string]: unknown }[];
}

export function addShow(session: Command, io: Io): void {
  const command = session
    .command("show <session>")
    .description("show which streams a session follows and when it expires")
    .action(async (name: string, _options: object, called: Command) => {
      const { output, server } = contextOf(called, io);
      const from = server();
      const call = { headers: from.authorization("read") };
      const found = await from.sendJson<Described>("GET", sessionPath(from, name), call);
      const sources = found.subscriptions.map(({ source, ...fields }) => [
        source,
        ...Object.entries(fields).map(([key, value]) => `${key}=${String(value)}`),
      ]);
      await output.result(found, table(sources));
      output.note(`${name} expires at ${found.expiresAt} unless it is used before that.`);
    });
  examples(command, "durable-streams session show alice");
}
