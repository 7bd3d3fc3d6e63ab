import { existsSync } from "node:fs";
import type { Readable, Writable } from "node:stream";

import { usageError } from "./failure.ts";

/** Everything outside the program that a run uses; tests replace it. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  /** Aborted by Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
}

const STDIN_BYTES_MAX = 64 * 1024 * 1024;

/** Whether the user can be prompted: stdin and stderr are terminals, and this is not CI. */
export function isInteractive({ env, stdin, stderr }: Io): boolean {
  return stdin.isTTY === true && stderr.isTTY === true && (env["CI"] ?? "") === "";
}

/** Reads all of stdin. @throws CliError when it is larger than 64 MiB. */
export async function readStdin(stdin: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin as AsyncIterable<Buffer | string>) {
    const buffer = Buffer.from(chunk as string);
    bytes += buffer.length;
    if (bytes > STDIN_BYTES_MAX)
      throw usageError(`stdin has more than ${STDIN_BYTES_MAX} bytes.`, "split the data into smaller appends");
    chunks.push(buffer);
  }
  return Buffer.concat(chunks);
}

/** Reads a secret from stdin, without the line ending. */
export async function readSecret(stdin: Readable): Promise<string> {
  return (await readStdin(stdin)).toString("utf8").trim();
}

/** @returns the path. @throws CliError when the file does not exist. */
export function checkFile(path: string): string {
  if (existsSync(path)) return path;
  throw usageError(`The file ${path} does not exist.`, "give the path of an existing file");
}
