/** Packs data directories into compressed archives and unpacks them, with the `tar` of Linux and macOS. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { constants, setPriority } from "node:os";

import { CliError, reasonOf } from "../failure.ts";

/** Files that belong to a running server, not to its data. */
const EXCLUDED = ["./lock", "./lock-journal", "./server.json", "./workerd", "./tmp"];

const OUTPUT_LENGTH_MAX = 8_192;

/**
 * Writes an archive that only its owner can read, because it contains the projects' secrets. A crash leaves no archive.
 * @param folders whose contents the archive has.
 * @throws CliError
 */
export async function pack(folders: readonly string[], archive: string, signal: AbortSignal): Promise<void> {
  const unfinished = `${archive}.${process.pid}.unfinished`;
  const file = openArchive(unfinished, archive);
  try {
    const excluded = EXCLUDED.flatMap((path) => ["--exclude", path]);
    const contents = folders.flatMap((folder) => ["-C", folder, "."]);
    await runTar(["-czf", "-", ...excluded, ...contents], file, signal);
    fsyncSync(file);
    renameSync(unfinished, archive);
  } finally {
    closeSync(file);
    rmSync(unfinished, { force: true });
  }
}

/**
 * Unpacks an archive into a new folder.
 * @throws CliError
 */
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
      fix: "use a file in a folder that you may write to",
    });
  }
}

async function runTar(args: readonly string[], stdout: number | "ignore", signal: AbortSignal): Promise<void> {
  const child = spawn("tar", args, { stdio: ["ignore", stdout, "pipe"], signal });
  yieldToOthers(child.pid);
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-OUTPUT_LENGTH_MAX)));
  try {
    const [code] = (await once(child, "close")) as [number | null];
    if (code === 0) return;
    throw new Error(stderr.trim() || `tar ended with exit code ${code}`);
  } catch (error) {
    signal.throwIfAborted();
    throw new CliError("The archive could not be written or read.", {
      code: "archive-failed",
      why: reasonOf(error),
      fix: "check that there is enough disk space, that tar is installed, and that the archive is complete",
      cause: error,
    });
  }
}

/** A server may be running on this machine, and compression would take a whole core from it. */
function yieldToOthers(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It has ended already.
  }
}
