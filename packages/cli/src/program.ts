import { Command, CommanderError } from "commander";

import { colors, wantsColors } from "./colors.ts";
import { addCommands } from "./commands/commands.ts";
import { runServer, SERVE } from "./commands/serve.ts";
import { EndedAsAsked, EXIT, interrupted, usageError } from "./failure.ts";
import { addGlobalOptionsHint, examples, helpStyle, PROGRAM } from "./help.ts";
import type { Io } from "./io.ts";
import { Output } from "./output.ts";
import { describeVersion } from "./version.ts";

const AFTER_HELP = `
stdout is data; everything else goes to stderr. Secrets come from the environment, never from a flag:
  DURABLE_STREAMS_SECRET        a project's secret: commands sign their own tokens with it
  DURABLE_STREAMS_TOKEN         a token, instead of the secret
  DURABLE_STREAMS_ADMIN_SECRET  the server's secret: creates and lists projects
or, where there is --secret-stdin, from stdin.
--url, --project and --profile can be set as DURABLE_STREAMS_URL, _PROJECT and _PROFILE; NO_COLOR and FORCE_COLOR are
respected.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 not allowed, 5 server unavailable, 130 cancelled,
143 ended by SIGTERM.
`;

/** Runs one command line, without the program's name; its exit code. Never throws. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let help = "";
  const program = buildProgram(io, (text) => (help += text), !isFlag(argv, "--no-color"));
  try {
    if (argv[0] === SERVE) await runServer(argv.slice(1));
    else await program.parseAsync([...argv], { from: "user" });
    return EXIT.ok;
  } catch (error) {
    const isColorless = isFlag(argv, "--no-color");
    const output = new Output(io, { json: isFlag(argv, "--json"), quiet: false, isColorless });
    if (error instanceof EndedAsAsked) return interrupted(io.signal).exitCode;
    if (!(error instanceof CommanderError)) return output.fail(io.signal.aborted ? interrupted(io.signal) : error);
    if (error.exitCode === 0) return EXIT.ok;
    if (error.code === "commander.help") {
      io.stderr.write(help);
      return EXIT.usage;
    }
    const [what = "", ...more] = error.message.replace(/^error: /, "").split("\n");
    return output.fail(usageError(what, [...more, `${PROGRAM} --help, also after a command`].join(" ").trim()));
  }
}

/** All commands, with their flags. @param writeErr gets help that nobody has asked for. */
export function buildProgram(io: Io, writeErr: (text: string) => void, isColorful = true): Command {
  const hasColors = (stream: { readonly isTTY?: boolean }): boolean =>
    wantsColors(io.env, stream.isTTY === true, !isColorful);
  const program = new Command(PROGRAM)
    .description("Sets up, checks, runs and uses a Durable Streams server.")
    .option("-V, --version", "print the version")
    .option("--url <url>", "the server (default: http://localhost:4437, where `npm start` listens)")
    .option("--project <name>", "the project that streams belong to; omit it where the server has a single one")
    .option("--profile <name>", "a server that has been remembered under this name (default: the one in use)")
    .option("--json", "print results and errors as JSON: docs/cli.md")
    .option("--quiet", "print nothing on stderr but warnings and errors")
    .option("--no-color", "print no colours")
    .addHelpText("after", AFTER_HELP)
    .configureHelp(helpStyle(colors(true)))
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr,
      getOutHasColors: () => hasColors(io.stdout),
      getErrHasColors: () => hasColors(io.stderr),
      getOutHelpWidth: () => columnsOf(io.stdout),
      getErrHelpWidth: () => columnsOf(io.stderr),
    });
  program.on("option:version", () => {
    io.stdout.write(`${describeVersion()}\n`);
    throw new CommanderError(EXIT.ok, "commander.version", "");
  });
  examples(program, `${PROGRAM} stream create chat`, `${PROGRAM} stream append chat --data '{"text":"hello"}'`);
  addCommands(program, io);
  addGlobalOptionsHint(program);
  return program;
}

function columnsOf(stream: { readonly isTTY?: boolean; readonly columns?: number }): number {
  return stream.isTTY === true ? (stream.columns ?? 80) : 100;
}

/** Whether a flag of all commands is there; asked when the flags could not be parsed, too. */
function isFlag(argv: readonly string[], flag: string): boolean {
  const end = argv.indexOf("--");
  return (end === -1 ? argv : argv.slice(0, end)).includes(flag);
}
