/** The code blocks of a README, and somebody who pastes them into a shell. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const LIMIT_MS = 50_000;

interface Block {
  /** The heading that it is below. */
  readonly section: string;
  readonly language: string;
  readonly code: string;
}

/** @param folder of the README, below that of the repository. */
export function readmeBlocks(folder = ""): Block[] {
  return documentBlocks(join(folder, "README.md"));
}

/** @param path of a document, below the folder of the repository. */
export function documentBlocks(path: string): Block[] {
  return readFileSync(join(ROOT, path), "utf8")
    .split(/^## /m)
    .flatMap((part) => {
      const section = part.split("\n", 1)[0] ?? "";
      const blocks = part.matchAll(/^```(\w*)\n([^]*?)^```$/gm);
      return [...blocks].map(([, language = "", code = ""]) => ({ section, language, code }));
    });
}

/** The block of the repository's README that begins so. @throws Error when there is none. */
export function readmeBlock(start: string): string {
  const found = readmeBlocks().find(({ code }) => code.startsWith(start));
  if (found === undefined) throw new Error(`the README has no block that begins with ${start}`);
  return found.code;
}

export interface Pasting {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Whoever has seen this on stdout presses Ctrl-C. */
  readonly enough?: string;
}

/** Runs the lines of a block until one fails; all of them together have fifty seconds. */
export async function paste(code: string, { cwd, env, enough }: Pasting) {
  const child = spawn("bash", ["-e", "-c", code], { cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
  // The number of a group is that of the process it began with.
  const kill = (signal: NodeJS.Signals): void => void (child.pid !== undefined && process.kill(-child.pid, signal));
  const late = setTimeout(() => kill("SIGKILL"), LIMIT_MS);
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
    if (enough !== undefined && stdout.includes(enough)) kill("SIGINT");
  });
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  await once(child, "close");
  clearTimeout(late);
  return { exitCode: child.exitCode, stdout, stderr };
}
