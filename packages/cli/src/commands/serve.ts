import type { Command } from "commander";

import { CliError, usageError } from "../failure.ts";
import { examples } from "../help.ts";

export const SERVE = "serve";

/** That of the SQLite which locks the data directory. */
const NODE_VERSION_MIN = [22, 13] as const;

/** Only for the list of commands: the server has flags of its own, and its own ways with signals. See `runServer`. */
export function serveCommand(program: Command): void {
  const command = program
    .command(SERVE)
    .description("run the server on this machine, with its data on disk; serve --help lists its flags")
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .action(() => {
      throw usageError(`Flags of ${SERVE} come after it.`, `durable-streams ${SERVE} --help`);
    });
  examples(command, "durable-streams serve", "durable-streams serve --port 5000 --data-dir /var/lib/durable-streams");
}

/**
 * Starts the server, which then ends this process itself.
 * @throws CliError where it cannot run.
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

/** The package that runs the server on this machine. @throws CliError where it cannot run, or is not installed. */
export async function loadServer(version = process.versions.node, load: ServerLoader = importServer) {
  requireServerNode(version);
  return load().catch((cause: unknown) => {
    throw notInstalled(cause);
  });
}

/** @throws CliError where Node.js has no SQLite. */
export function requireServerNode(version = process.versions.node): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [majorMin, minorMin] = NODE_VERSION_MIN;
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return;
  throw usageError(
    `The server and its data need Node.js ${majorMin}.${minorMin} or newer, but this is ${version}.`,
    "install a newer Node.js: https://nodejs.org",
  );
}

/** The runtime is an optional dependency: the other commands work where it does not. */
function notInstalled(cause: unknown): unknown {
  if (!(cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND")) return cause;
  return new CliError("The server is not installed.", {
    code: "serve-not-installed",
    why: "It was left out, or has no build for this system: it runs on Linux with glibc, and on macOS.",
    fix: "npm install --global --include=optional @durable-streams-cloudflare/cli",
    cause,
  });
}
