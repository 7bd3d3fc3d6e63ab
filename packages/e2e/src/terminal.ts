/** A program in a pseudo-terminal of its own, and somebody who types. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { stripVTControlCharacters } from "node:util";

const LIMIT_MS = 30_000;

export const ENTER = "\r";
export const CTRL_C = "\u0003";
export const DOWN = "\u001b[B";

/** Of `durable-streams setup`, in their order. */
export const WIZARD_QUESTIONS = [
  "Name of the Worker",
  "What do you want to deploy?",
  "Account",
  "Move older data",
  "Name of the R2 bucket",
  "Region of the R2 bucket",
  "Title of the KV namespace",
  "Create a queue for messages",
  "Name of the queue",
  "Turn on Workers Caching?",
  "Domain of the account",
  "Name of the first project",
  "Continue?",
];

export interface Terminal {
  /** Waits until the screen has shown this since the last key. @throws Error with what it has shown, when it does not. */
  see(text: string): Promise<void>;
  type(keys: string): void;
  /** Without colours and cursor movements. */
  screen(): string;
  readonly exitCode: Promise<number | null>;
  /** Hangs up, if it is still there. */
  close(): void;
}

/** @param command for sh; nothing in it may need quoting. */
export function openTerminal(command: string, cwd: string, env: NodeJS.ProcessEnv): Terminal {
  // Made by a program without a terminal, a pseudo-terminal has no size.
  const line = `stty rows 50 cols 150; exec ${command}`;
  const child = spawn("script", ["--quiet", "--flush", "--return", "--command", line, "/dev/null"], {
    cwd,
    env: { TERM: "xterm", ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let written = "";
  const screen = (): string => stripVTControlCharacters(written);
  let seen = 0;
  let wake = (): void => undefined;
  child.stdout.on("data", (chunk: Buffer) => {
    written += chunk.toString();
    wake();
  });
  const closed = once(child, "close");
  return {
    see: async (text) => {
      const late = AbortSignal.timeout(LIMIT_MS);
      while (!screen().includes(text, seen)) {
        if (child.exitCode !== null || late.aborted)
          throw new Error(`the terminal does not show ${text}:\n${screen()}`);
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        late.addEventListener("abort", wake, { once: true });
        await Promise.race([promise, closed]);
      }
      seen = screen().indexOf(text, seen);
    },
    type: (keys) => {
      seen = screen().length;
      child.stdin.write(keys);
    },
    screen,
    exitCode: closed.then(() => child.exitCode),
    close: () => void child.kill(),
  };
}
