/** `profile …`: servers that this tool remembers by a name. Secrets are never in a profile. */

import type { Command } from "commander";

import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { addAdd } from "./add.ts";
import { addList } from "./list.ts";
import { addRemove } from "./remove.ts";
import { addUse } from "./use.ts";

export function profileCommand(program: Command, io: Io): void {
  const profile = program.command("profile").description("save servers under a name");
  for (const add of [addList, addAdd, addUse, addRemove]) add(profile, io);
  examples(profile, "durable-streams profile list", "durable-streams profile use staging");
}
