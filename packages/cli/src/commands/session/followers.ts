import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { parseCount } from "../../numbers.ts";
import { table } from "../../output.ts";
import { sourcePath } from "./paths.ts";

interface Follower {
  readonly estuaryId: string;
  readonly kid: string | null;
  readonly user: string | null;
  readonly expiresAt: string | null;
}

interface Page {
  readonly followers: readonly Follower[];
  readonly cursor: string | null;
}

export function addFollowers(session: Command, io: Io): void {
  const command = session
    .command("followers <source>")
    .description("list the sessions that follow a stream, with the key and the user that subscribed them")
    .option("--limit <n>", "list at most this many entries")
    .action(async (source: string, options: { limit?: string }, called: Command) => {
      const { output, server } = contextOf(called, io);
      const from = server();
      const limit = parseCount("--limit", options.limit);
      const call = { headers: from.authorization("manage"), subject: { stream: source } };
      const bounds = { limit, count: (page: Page) => page.followers.length };
      const pages = await from.sendPages<Page>(sourcePath(from, source), call, bounds);
      const followers = pages.flatMap((page) => page.followers).slice(0, limit);
      const rows = followers.map(({ estuaryId, kid, user, expiresAt }) => [
        estuaryId,
        kid ?? "-",
        user ?? "-",
        expiresAt ?? "never expires",
      ]);
      await output.result({ source, followers }, table(rows));
    });
  examples(
    command,
    "durable-streams session followers chat-room-1",
    "durable-streams session followers news --limit 20",
  );
}
