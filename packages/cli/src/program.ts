import { Command, CommanderError } from "commander";

import { destroyCommand } from "./commands/destroy.ts";
import { devCommand } from "./commands/dev.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { createProjectCommand, projectCommand } from "./commands/project.ts";
import { runServer, SERVE, serveCommand } from "./commands/serve.ts";
import { setupCommand } from "./commands/setup.ts";
import { streamCommand } from "./commands/stream.ts";
import { subscribeCommand } from "./commands/subscribe.ts";
import { tokenCommand } from "./commands/token.ts";
import { cancelled, EXIT, usageError } from "./failure.ts";
import type { Io } from "./io.ts";
import { Output } from "./output.ts";
import { version } from "./version.ts";

/** One file each in `commands/`; the order of the help. */
const COMMANDS: readonly ((program: Command, io: Io) => void)[] = [
  setupCommand,
  doctorCommand,
  devCommand,
  destroyCommand,
  createProjectCommand,
  projectCommand,
  streamCommand,
  subscribeCommand,
  tokenCommand,
  serveCommand,
];

const AFTER_HELP = `
stdout is data, stderr is everything else. Secrets come from the environment, never from a flag:
  DURABLE_STREAMS_SECRET        a project's secret: commands sign their own tokens with it
  DURABLE_STREAMS_TOKEN         a token, instead of the secret
  DURABLE_STREAMS_ADMIN_SECRET  the server's secret: creates and lists projects
or, where there is --secret-stdin, from stdin.
--url, --project and --profile may be set as DURABLE_STREAMS_URL, _PROJECT and _PROFILE.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 not allowed, 5 server unavailable, 130 cancelled.
`;

/** Runs one command line, without the program's name; its exit code. Never throws. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let help = "";
  const program = buildProgram(io, (text) => (help += text));
  try {
    if (argv[0] === SERVE) await runServer(argv.slice(1));
    else await program.parseAsync([...argv], { from: "user" });
    return EXIT.ok;
  } catch (error) {
    const output = new Output(io, { json: isJson(argv), quiet: false });
    if (!(error instanceof CommanderError)) return output.fail(io.signal.aborted ? cancelled() : error);
    if (error.exitCode === 0) return EXIT.ok;
    if (error.code === "commander.help") {
      io.stderr.write(help);
      return EXIT.usage;
    }
    const [what = "", ...more] = error.message.replace(/^error: /, "").split("\n");
    return output.fail(usageError(what, [...more, "durable-streams --help, also after a command"].join(" ").trim()));
  }
}

/** All commands, with their flags. @param writeErr gets help that nobody has asked for. */
export function buildProgram(io: Io, writeErr: (text: string) => void): Command {
  const program = new Command("durable-streams")
    .description("Sets up, checks and uses a Durable Streams server.")
    .version(version())
    .option("--url <url>", "the server (default: http://localhost:4437, that of `npm start`)")
    .option("--project <name>", "the project that streams belong to; leave it out where the server has a single one")
    .option("--profile <name>", "a server that setup has remembered (default: default)")
    .option("--json", "answers, and errors, as JSON: docs/cli.md")
    .option("--quiet", "nothing on stderr but warnings and errors")
    .addHelpText("after", AFTER_HELP)
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ writeOut: (text) => void io.stdout.write(text), writeErr });
  for (const add of COMMANDS) add(program, io);
  return program;
}

/** Whether errors are wanted as JSON; asked when the flags could not be parsed, too. */
function isJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end === -1 ? argv : argv.slice(0, end)).includes("--json");
}
