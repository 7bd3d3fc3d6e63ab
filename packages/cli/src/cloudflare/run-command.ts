import { spawn } from "node:child_process";
import { stripVTControlCharacters } from "node:util";

import { CliError, reasonOf } from "../failure.ts";
import type { Io } from "../io.ts";
import { withResolvers } from "../with-resolvers.ts";

const OUTPUT_LENGTH_MAX = 256 * 1024;
const LINES_SHOWN = 15;

export interface CommandLine {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a command without a shell, so no name can be taken for a command. @returns its stdout. @throws CliError */
export async function runCommand(io: Io, line: CommandLine, fix: string): Promise<string> {
  const { command, args, cwd, env } = line;
  const child = spawn(command, args, {
    cwd,
    env: { ...io.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    signal: io.signal,
    killSignal: "SIGTERM",
  });
  let [stdout, all] = ["", ""];
  const keep = (text: string, chunk: Buffer): string => (text + chunk.toString()).slice(-OUTPUT_LENGTH_MAX);
  child.stdout.on("data", (chunk: Buffer) => ([stdout, all] = [keep(stdout, chunk), keep(all, chunk)]));
  child.stderr.on("data", (chunk: Buffer) => (all = keep(all, chunk)));
  const { promise, resolve, reject } = withResolvers<number | null>();
  child.once("error", reject).once("close", resolve);
  const code = await promise.catch((error: unknown) => {
    io.signal.throwIfAborted();
    throw failed(line, reasonOf(error), fix);
  });
  io.signal.throwIfAborted();
  if (code !== 0) throw failed(line, lastLines(all) || `The command ended with exit code ${code}.`, fix);
  return stdout;
}

/** Runs a command on the terminal, for prompts or until Ctrl-C. Its stdout goes to stderr. @returns its exit code. */
export async function runOnTerminal(io: Io, { command, args, cwd, env }: CommandLine): Promise<number> {
  const child = spawn(command, args, { cwd, env: { ...io.env, ...env }, stdio: ["inherit", 2, "inherit"] });
  const { promise, resolve, reject } = withResolvers<number | null>();
  child.once("error", reject).once("close", resolve);
  const stop = (): void => void child.kill("SIGTERM");
  io.signal.addEventListener("abort", stop, { once: true });
  try {
    return (await promise) ?? 1;
  } finally {
    io.signal.removeEventListener("abort", stop);
  }
}

function failed({ command, args }: CommandLine, why: string, fix: string): CliError {
  const name = [command.split("/").at(-1), ...args.map((arg) => arg.split("/").at(-1))].join(" ");
  return new CliError(`The command failed: ${name}`, { code: "command-failed", why, fix });
}

function lastLines(text: string): string {
  const lines = stripVTControlCharacters(text).trim().split("\n");
  return lines.slice(-LINES_SHOWN).join("\n       ");
}
