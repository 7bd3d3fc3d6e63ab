import type { Command } from "commander";

import { resolveConnection, type Globals } from "./connection.ts";
import type { Io } from "./io.ts";
import { Output } from "./output.ts";
import { Server } from "./server.ts";

/** What the action of a command needs. */
export interface Context {
  readonly io: Io;
  readonly output: Output;
  readonly globals: Globals;
  /** The server to use. @throws CliError when flags, environment or profile are invalid. */
  readonly server: () => Server;
}

export function contextOf(command: Command, io: Io): Context {
  const globals = command.optsWithGlobals<Globals>();
  return {
    io,
    globals,
    output: new Output(io, {
      json: globals.json === true,
      quiet: globals.quiet === true,
      isColorless: globals.color === false,
    }),
    server: () => new Server(resolveConnection(globals, io.env), io.signal),
  };
}
