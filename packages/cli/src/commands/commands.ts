/** All commands in the order and the groups of the help. Each command has its own file. */

import type { Command } from "commander";

import type { Io } from "../io.ts";
import { completionCommand } from "./completion.ts";
import { configCommand } from "./config.ts";
import { backupCommand } from "./data/backup.ts";
import { reshardCommand } from "./data/reshard.ts";
import { restoreCommand } from "./data/restore.ts";
import { takeoverCommand } from "./data/takeover.ts";
import { verifyCommand } from "./data/verify.ts";
import { destroyCommand } from "./destroy.ts";
import { devCommand } from "./dev.ts";
import { doctorCommand } from "./doctor.ts";
import { openCommand } from "./open.ts";
import { profileCommand } from "./profile/profile.ts";
import { createProjectCommand } from "./project/create.ts";
import { projectCommand } from "./project/project.ts";
import { readUrlCommand } from "./reading/read-url.ts";
import { readerKeyCommand } from "./reading/reader-key.ts";
import { serveCommand } from "./serve.ts";
import { sessionCommand } from "./session/session.ts";
import { subscribeCommand } from "./session/subscribe.ts";
import { unsubscribeCommand } from "./session/unsubscribe.ts";
import { setupCommand } from "./setup.ts";
import { statsCommand } from "./stats.ts";
import { streamCommand } from "./stream/stream.ts";
import { subscriptionCommand } from "./subscription/subscription.ts";
import { tokenCommand } from "./token.ts";

type AddCommand = (program: Command, io: Io) => void;

const GROUPS: readonly (readonly [heading: string, commands: readonly AddCommand[]])[] = [
  ["Streams:", [streamCommand, sessionCommand, subscribeCommand, unsubscribeCommand, subscriptionCommand]],
  [
    "Projects and access:",
    [createProjectCommand, projectCommand, tokenCommand, readUrlCommand, readerKeyCommand, statsCommand],
  ],
  [
    "Server on this machine:",
    [serveCommand, backupCommand, restoreCommand, verifyCommand, takeoverCommand, reshardCommand],
  ],
  ["Server on Cloudflare:", [setupCommand, devCommand, destroyCommand]],
  ["Checks and configuration:", [doctorCommand, openCommand, profileCommand, configCommand, completionCommand]],
];

export function addCommands(program: Command, io: Io): void {
  for (const [heading, commands] of GROUPS) {
    program.commandsGroup(heading);
    for (const add of commands) add(program, io);
  }
}
