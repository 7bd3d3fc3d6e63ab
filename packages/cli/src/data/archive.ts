/** Data directories as compressed archives, written and read by `tar`, which Linux and macOS have. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";

import { CliError, reasonOf } from "../failure.ts";

/** What belongs to a running server, and not to its data. */
const LEFT_OUT = ["./lock", "./lock-journal", "./server.json", "./workerd", "./tmp"];

const OUTPUT_LENGTH_MAX = 8_192;

/**
 * Writes an archive that only its owner can read, since it holds the projects' secrets. A crash leaves no file of that name.
 * @throws CliError
 */
export async function pack(folder: string, archive: string, signal: AbortSignal): Promise<void> {
  const unfinished = `${archive}.${process.pid}.unfinished`;
  const file = openArchive(unfinished, archive);
  try {
    const excluded = LEFT_OUT.flatMap((path) => ["--exclude", path]);
    await runTar(["-czf", "-", ...excluded, "-C", folder, "."], file, signal);
    fsyncSync(file);
    renameSync(unfinished, archive);
  } finally {
    closeSync(file);
    rmSync(unfinished, { force: true });
  }
}

/** @throws CliError */
export function unpack(archive: string, folder: string, signal: AbortSignal): Promise<void> {
  return runTar(["-xzf", archive, "-C", folder, "--no-same-owner"], "ignore", signal);
}

function openArchive(unfinished: string, archive: string): number {
  try {
    return openSync(unfinished, "wx", 0o600);
  } catch (error) {
    throw new CliError(`The archive ${archive} cannot be written.`, {
      code: "archive-failed",
      why: reasonOf(error),
      fix: "name a file in a folder that you may write to",
    });
  }
}

async function runTar(args: readonly string[], stdout: number | "ignore", signal: AbortSignal): Promise<void> {
  const child = spawn("tar", args, { stdio: ["ignore", stdout, "pipe"], signal });
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => (said = (said + chunk.toString()).slice(-OUTPUT_LENGTH_MAX)));
  try {
    const [code] = (await once(child, "close")) as [number | null];
    if (code === 0) return;
    throw new Error(said.trim() || `tar ended with exit code ${code}`);
  } catch (error) {
    signal.throwIfAborted();
    throw new CliError("The archive could not be written or read.", {
      code: "archive-failed",
      why: reasonOf(error),
      fix: "see that there is enough space, and that tar is installed and the archive is complete",
      cause: error,
    });
  }
}
