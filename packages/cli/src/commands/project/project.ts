/** `project …`: the API `/v1/projects` (docs/projects.md). */

import type { Command } from "commander";

import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { addKeys } from "./keys.ts";
import { addList } from "./list.ts";
import { addRemove } from "./remove.ts";
import { addRevoke } from "./revoke.ts";
import { addRotate } from "./rotate.ts";
import { addSet } from "./set.ts";
import { addShow } from "./show.ts";

export function projectCommand(program: Command, io: Io): void {
  const project = program
    .command("project")
    .description("manage the server's projects, their settings and their secrets");
  for (const add of [addList, addShow, addSet, addKeys, addRotate, addRevoke, addRemove]) add(project, io);
  examples(project, "durable-streams project show demo", "durable-streams project keys demo");
}
