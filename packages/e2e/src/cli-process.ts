/** The command line tool as a process of its own, as a user runs it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../cli/src/main.ts", import.meta.url));

export interface CliProcess {
  /** Resolves when stdout contains this. */
  printed(text: string): Promise<void>;
  /** It and all that it has started, as a terminal does. */
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<{ readonly exitCode: number | null; readonly stdout: string; readonly stderr: string }>;
}

/** @param program what Node.js runs, and its first arguments; the tool's sources, if it is left out. */
export function startCli(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  program: readonly string[] = [MAIN],
  cwd = tmpdir(),
): CliProcess {
  const child = spawn(process.execPath, [...program, ...argv], {
    cwd,
    env: { PATH: process.env["PATH"], HOME: "/nonexistent", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let [stdout, stderr] = ["", ""];
  let wake = (): void => undefined;
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
    wake();
  });
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const closed = once(child, "close");
  return {
    printed: async (text) => {
      while (!stdout.includes(text)) {
        if (child.exitCode !== null) throw new Error(`it ended without printing ${text}:\n${stdout}${stderr}`);
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await Promise.race([promise, closed]);
      }
    },
    kill: (signal) => {
      // The number of a group is that of the process it began with.
      if (child.pid !== undefined) process.kill(-child.pid, signal);
    },
    ended: closed.then(() => ({ exitCode: child.exitCode, stdout, stderr })),
  };
}
