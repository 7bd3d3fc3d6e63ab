import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { parseCount } from "../../numbers.ts";
import { table } from "../../output.ts";
import type { Server } from "../../server.ts";

interface Listed {
  readonly name: string;
  readonly contentType: string;
  readonly createdAt: string;
  readonly isPublic: boolean;
}

interface StreamPage {
  readonly streams: readonly Listed[];
  readonly cursor: string | null;
}

interface Options {
  readonly prefix: string;
  readonly limit?: string;
}

export function addList(stream: Command, io: Io): void {
  const command = stream
    .command("list")
    .alias("ls")
    .description("list the streams of the project in the order of their names")
    .option("--prefix <prefix>", "list only streams whose names begin with this prefix", "")
    .option("--limit <n>", "list at most this many entries")
    .action(async (options: Options, called: Command) => {
      const { output, server } = contextOf(called, io);
      const limit = parseCount("--limit", options.limit);
      const streams = await listStreams(server(), options.prefix, limit);
      const rows = streams.map(({ name, contentType, createdAt }) => [name, contentType, createdAt]);
      await output.result({ streams }, table(rows));
      if (streams.length === limit) output.note(`Only the first ${limit} streams are listed; there may be more.`);
    });
  examples(
    command,
    "durable-streams stream list",
    "durable-streams stream ls --prefix chat/ --limit 20",
    "durable-streams stream ls --json | jq -r '.streams[].name'",
  );
}

async function listStreams(server: Server, prefix: string, limit: number): Promise<Listed[]> {
  const path = `/v1/projects/${encodeURIComponent(server.project)}/streams`;
  const call = { headers: server.projectAuthorization("read"), query: { prefix } };
  const pages = await server.sendPages<StreamPage>(path, call, { limit, count: ({ streams }) => streams.length });
  return pages.flatMap(({ streams }) => streams).slice(0, limit);
}
