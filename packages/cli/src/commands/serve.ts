import type { Command } from "commander";

import { CliError, usageError } from "../failure.ts";

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

/**
 * Starts the server, which then ends this process itself.
 * @throws CliError where it cannot run.
 */
export async function runServer(
  argv: readonly string[],
  version = process.versions.node,
  load = () => import("@durable-streams-cloudflare/local"),
): Promise<void> {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [majorMin, minorMin] = NODE_VERSION_MIN;
  if (major < majorMin || (major === majorMin && minor < minorMin)) {
    throw usageError(
      `The server needs Node.js ${majorMin}.${minorMin} or newer, but this is ${version}.`,
      "install a newer Node.js: https://nodejs.org",
    );
  }
  const { serve } = await load().catch((cause: unknown) => {
    throw notInstalled(cause);
  });
  await serve(argv, `durable-streams ${SERVE}`);
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
