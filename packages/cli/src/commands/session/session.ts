/** `session …`: streams that receive the messages of many other streams (docs/estuaries.md). */

import type { Command } from "commander";

import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { addCutOff } from "./cut-off.ts";
import { addEnd } from "./end.ts";
import { addFollowers } from "./followers.ts";
import { addShow } from "./show.ts";
import { addTouch } from "./touch.ts";

export function sessionCommand(program: Command, io: Io): void {
  const session = program
    .command("session")
    .description("manage sessions, which follow many streams (see also subscribe)");
  for (const add of [addShow, addTouch, addEnd, addFollowers, addCutOff]) add(session, io);
  examples(session, "durable-streams session show alice");
}
