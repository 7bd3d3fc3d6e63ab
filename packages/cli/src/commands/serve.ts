import type { Command } from "commander";

import { usageError } from "../failure.ts";

export const SERVE = "serve";

/** That of the SQLite which locks the data directory. */
const NODE_VERSION_MIN = [22, 13] as const;

/** Only for the list of commands: the server has flags of its own, and its own ways with signals. See `runServer`. */
export function serveCommand(program: Command): void {
  program
    .command(SERVE)
    .description("run the server on this machine, with its data on disk; serve --help lists its flags")
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .action(() => {
      throw usageError(`Flags of ${SERVE} come after it.`, `durable-streams ${SERVE} --help`);
    });
}

/** Starts the server, which then ends this process itself. */
export async function runServer(argv: readonly string[], version = process.versions.node): Promise<void> {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [majorMin, minorMin] = NODE_VERSION_MIN;
  if (major < majorMin || (major === majorMin && minor < minorMin)) {
    throw usageError(
      `The server needs Node.js ${majorMin}.${minorMin} or newer, but this is ${version}.`,
      "install a newer Node.js: https://nodejs.org",
    );
  }
  const { serve } = await import("@durable-streams-cloudflare/local");
  await serve(argv, `durable-streams ${SERVE}`);
}
