import type { Command } from "commander";

import { CliError, usageError } from "../failure.ts";
import { examples } from "../help.ts";

export const SERVE = "serve";

/** The first version of Node.js with the SQLite that locks the data directory. */
const NODE_VERSION_MIN = [22, 13] as const;

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
export async function runServer(
  argv: readonly string[],
  version = process.versions.node,
  load: ServerLoader = importServer,
): Promise<void> {
  const { serve } = await loadServer(version, load);
  await serve(argv, `durable-streams ${SERVE}`);
}

type ServerLoader = () => Promise<typeof import("@durable-streams-cloudflare/local")>;

const importServer: ServerLoader = () => import("@durable-streams-cloudflare/local");

/** Loads the package that runs the server on this machine. @throws CliError when it cannot run or is not installed. */
export async function loadServer(version = process.versions.node, load: ServerLoader = importServer) {
  requireServerNode(version);
  return load().catch((cause: unknown) => {
    throw notInstalled(cause);
  });
}

/** @throws CliError when Node.js has no SQLite. */
export function requireServerNode(version = process.versions.node): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [majorMin, minorMin] = NODE_VERSION_MIN;
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return;
  throw usageError(
    `This command needs Node.js ${majorMin}.${minorMin} or newer, but this is ${version}.`,
    "install a newer Node.js: https://nodejs.org",
  );
}

/** The runtime is an optional dependency: the other commands also work on systems without it. */
function notInstalled(cause: unknown): unknown {
  if (!(cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND")) return cause;
  return new CliError("The server is not installed.", {
    code: "serve-not-installed",
    why: "The optional package is missing, or it does not support this system: it runs on Linux with glibc and on macOS.",
    fix: "run npm install --global --include=optional @durable-streams-cloudflare/cli",
    cause,
  });
}
