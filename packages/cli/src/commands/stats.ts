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
    .description("show how many streams and bytes the project has")
    .action(async (_options: object, called: Command) => {
      const { output, server } = contextOf(called, io);
      const from = server();
      const { project } = from;
      const call = { headers: from.projectAuthorization("read"), query: { limit: "1" } };
      const { counters } = await from.sendJson<{ counters: Counters }>("GET", `${projectPath(project)}/streams`, call);
      await output.result({ project, ...counters }, describe(project, counters));
      output.note("Changes are counted after about a second.");
    });
  examples(command, "durable-streams stats", "durable-streams stats --project demo --json");
}

function describe(project: string, { streams, created, ended, bytes }: Counters): string {
  return table([
    ["project", project],
    ["streams", String(streams)],
    ["created in total", String(created)],
    ["ended in total", String(ended)],
    ["stored", formatBytes(bytes)],
  ]);
}
