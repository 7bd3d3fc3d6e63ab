import type { Command } from "commander";

import { contextOf } from "../context.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { table } from "../output.ts";
import { formatBytes } from "../transfer-meter.ts";
import { projectPath } from "./project/paths.ts";

interface Counters {
  readonly streams: number;
  readonly created: number;
  readonly ended: number;
  readonly bytes: number;
}

export function statsCommand(program: Command, io: Io): void {
  const command = program
    .command("stats")
    .description("count the project's streams and bytes, as far as its directory has heard of them")
    .action(async (_options: object, called: Command) => {
      const { output, server } = contextOf(called, io);
      const from = server();
      const { project } = from;
      const call = { headers: from.projectAuthorization("read"), query: { limit: "1" } };
      const { counters } = await from.sendJson<{ counters: Counters }>("GET", `${projectPath(project)}/streams`, call);
      await output.result({ project, ...counters }, describe(project, counters));
      output.note("A stream tells its directory of itself about a second after it has changed.");
    });
  examples(command, "durable-streams stats", "durable-streams stats --project demo --json");
}

function describe(project: string, { streams, created, ended, bytes }: Counters): string {
  return table([
    ["project", project],
    ["streams", String(streams)],
    ["created so far", String(created)],
    ["ended so far", String(ended)],
    ["stored", formatBytes(bytes)],
  ]);
}
