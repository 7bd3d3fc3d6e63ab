import type { Command } from "commander";

import { usageError } from "../failure.ts";
import { examples } from "../help.ts";

export const SERVE = "serve";

/** Of SQLite inside Node.js, the first version that can tell how long its write-ahead log is. */
const SQLITE_MIN = [3, 51] as const;

interface Versions {
  readonly node: string;
  /** Absent before Node.js 22. */
  readonly sqlite?: string;
}

/** Only for the list of commands: the server parses its own flags and handles its own signals. See `runServer`. */
export function serveCommand(program: Command): void {
  const command = program
    .command(SERVE)
    .description("run the server on this machine, with its data on disk (serve --help lists its flags)")
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .action(() => {
      throw usageError(
        `No flags are allowed before ${SERVE}.`,
        `put the flags after ${SERVE}; durable-streams ${SERVE} --help lists them`,
      );
    });
  examples(command, "durable-streams serve", "durable-streams serve --port 5000 --data-dir /var/lib/durable-streams");
}

/**
 * Runs the server, which ends this process itself.
 * @throws CliError when the server cannot run here.
 */
export async function runServer(argv: readonly string[], versions: Versions = process.versions): Promise<void> {
  const { serve } = await loadServer(versions);
  await serve(argv, `durable-streams ${SERVE}`);
}

/** Loads the package that runs the server on this machine. @throws CliError when this Node.js cannot run it. */
export async function loadServer(versions: Versions = process.versions) {
  requireServerNode(versions);
  return import("@durable-streams-cloudflare/local");
}

/** @throws CliError when the SQLite of this Node.js is too old, or when there is none. */
export function requireServerNode({ node, sqlite = "0.0" }: Versions = process.versions): void {
  const [major = 0, minor = 0] = sqlite.split(".").map(Number);
  const [majorMin, minorMin] = SQLITE_MIN;
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return;
  throw usageError(
    `This command needs Node.js 24 with SQLite ${majorMin}.${minorMin} or newer inside, but this is Node.js ${node}.`,
    "install the newest Node.js 24: https://nodejs.org",
  );
}
