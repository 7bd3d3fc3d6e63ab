import type { Command } from "commander";

import { ENVIRONMENT } from "../../connection.ts";
import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { parseCount } from "../../numbers.ts";
import type { Server } from "../../server.ts";
import { PROJECTS } from "./paths.ts";

interface ProjectPage {
  readonly projects: readonly string[];
  readonly cursor: string | null;
}

export function addList(project: Command, io: Io): void {
  const command = project
    .command("list")
    .alias("ls")
    .description(`list the names of all projects (needs ${ENVIRONMENT.adminSecret})`)
    .option("--limit <n>", "list at most this many entries")
    .action(async (options: { limit?: string }, called: Command) => {
      const { output, server } = contextOf(called, io);
      const projects = await listProjects(server(), parseCount("--limit", options.limit));
      await output.result({ projects }, projects.join("\n"));
    });
  examples(command, "durable-streams project list", "durable-streams project ls --limit 10 --json");
}

async function listProjects(server: Server, limit: number): Promise<string[]> {
  const call = { headers: server.projectAuthorization() };
  const pages = await server.sendPages<ProjectPage>(PROJECTS, call, { limit, count: (page) => page.projects.length });
  return pages.flatMap(({ projects }) => projects).slice(0, limit);
}
