import { Readable, Writable } from "node:stream";

import type { Command } from "commander";

import { buildProgram, run } from "../program.ts";

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array;
  readonly cwd?: string;
  readonly signal?: AbortSignal;
  /** stdout and stderr are terminals, but stdin is not. */
  readonly isTerminal?: boolean;
  /** Called with each chunk of stdout. */
  readonly onStdout?: (text: string) => void;
}

/** All commands with their flags, for inspection. */
export function programOf(): Command {
  const [stdin, sink] = [Readable.from([]), new Writable()];
  const io = { env: {}, cwd: "/", stdin, stdout: sink, stderr: sink, signal: new AbortController().signal };
  return buildProgram(io, () => undefined);
}

/** Runs a command line in this process, without a terminal and with only the given environment. */
export async function runCaptured(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const [stdout, stderr] = [capture(options.onStdout), capture()];
  const exitCode = await run(argv, {
    env: { HOME: "/nonexistent", ...options.env },
    cwd: options.cwd ?? "/",
    stdin: Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)]),
    stdout: Object.assign(stdout.stream, { isTTY: options.isTerminal === true }),
    stderr: Object.assign(stderr.stream, { isTTY: options.isTerminal === true }),
    signal: options.signal ?? new AbortController().signal,
  });
  return { exitCode, stdout: stdout.text(), stderr: stderr.text() };
}

/** The error that a run with `--json` printed. */
export function errorOf({ stderr }: Ran): { code: string; message: string; fix: string; exitCode: number } {
  const lines = stderr.trim().split("\n");
  return (JSON.parse(lines.at(-1) ?? "") as { error: ReturnType<typeof errorOf> }).error;
}

function capture(listen: (chunk: string) => void = () => undefined) {
  let text = "";
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      listen(chunk.toString());
      done();
    },
  });
  return { stream, text: () => text };
}
