import { Command, CommanderError } from "commander";

import { colors, wantsColors } from "./colors.ts";
import { addCommands } from "./commands/commands.ts";
import { runServer, SERVE } from "./commands/serve.ts";
import { StoppedBySignal, EXIT, interrupted, usageError } from "./failure.ts";
import { addGlobalOptionsHint, examples, helpStyle, PROGRAM } from "./help.ts";
import type { Io } from "./io.ts";
import { Output } from "./output.ts";
import { describeVersion } from "./version.ts";

const AFTER_HELP = `
Data goes to stdout, everything else to stderr. Secrets are read from the environment, never from a flag:
  DURABLE_STREAMS_SECRET        a project's secret, with which commands sign their own tokens
  DURABLE_STREAMS_TOKEN         a token, used instead of the secret
  DURABLE_STREAMS_ADMIN_SECRET  the server's ADMIN_SECRET, needed to create and list projects
Commands with --secret-stdin can also read the secret from stdin.
DURABLE_STREAMS_URL, DURABLE_STREAMS_PROJECT and DURABLE_STREAMS_PROFILE set the defaults of --url, --project and
--profile. DURABLE_STREAMS_BASE_PATH is the STREAM_BASE_PATH of the server. NO_COLOR and FORCE_COLOR are respected.
Exit codes: 0 success, 1 failed, 2 wrong usage, 3 not found, 4 not allowed, 5 server unavailable, 130 cancelled,
143 stopped by SIGTERM.
`;

/** Runs a command line, given without the program's name. Never throws. @returns the exit code. */
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
    if (error instanceof StoppedBySignal) return interrupted(io.signal).exitCode;
    if (!(error instanceof CommanderError)) return output.fail(io.signal.aborted ? interrupted(io.signal) : error);
    if (error.exitCode === 0) return EXIT.ok;
    if (error.code === "commander.help") {
      io.stderr.write(help);
      return EXIT.usage;
    }
    const [what = "", ...more] = error.message.replace(/^error: /, "").split("\n");
    // The second line is a suggestion such as "(Did you mean stream?)"; here it goes on after "Fix:".
    const suggestion = more.join(" ").replace(/^\(D(.*)\)$/, "d$1 Otherwise, ");
    return output.fail(usageError(asSentence(what), `${suggestion}run ${PROGRAM} --help, or add --help to a command`));
  }
}

/** Builds all commands with their flags. @param writeErr receives help that was not requested. */
export function buildProgram(io: Io, writeErr: (text: string) => void, isColorful = true): Command {
  const hasColors = (stream: { readonly isTTY?: boolean }): boolean =>
    wantsColors(io.env, stream.isTTY === true, !isColorful);
  const program = new Command(PROGRAM)
    .description("Set up, run, check and use a Durable Streams server.")
    .option("-V, --version", "print the version")
    .option("--url <url>", "URL of the server (default: http://localhost:4437)")
    .option("--project <name>", "project of the streams; omit it if the server has a single project")
    .option("--profile <name>", "use the server saved under this name (default: the profile in use)")
    .option("--json", "print results and errors as JSON (described in docs/cli.md)")
    .option("--quiet", "print only warnings and errors on stderr")
    .option("--no-color", "do not use colors")
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

/** commander's messages begin with a small letter, and some have no full stop. */
function asSentence(text: string): string {
  const capitalised = text.charAt(0).toUpperCase() + text.slice(1);
  return capitalised.endsWith(".") ? capitalised : `${capitalised}.`;
}

function columnsOf(stream: { readonly isTTY?: boolean; readonly columns?: number }): number {
  return stream.isTTY === true ? (stream.columns ?? 80) : 100;
}

/** Whether a common flag is given; works even if the flags could not be parsed. */
function isFlag(argv: readonly string[], flag: string): boolean {
  const end = argv.indexOf("--");
  return (end === -1 ? argv : argv.slice(0, end)).includes(flag);
}
