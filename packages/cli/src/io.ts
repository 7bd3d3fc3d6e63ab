import { existsSync } from "node:fs";
import type { Readable, Writable } from "node:stream";

import { usageError } from "./failure.ts";

/** What a run of the program touches outside itself; tests bring their own. */
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

/** Whether somebody can be asked: a terminal on both sides, and no CI. */
export function isInteractive({ env, stdin, stderr }: Io): boolean {
  return stdin.isTTY === true && stderr.isTTY === true && (env["CI"] ?? "") === "";
}

/** All of stdin. @throws Error when it is more than 64 MiB. */
export async function readStdin(stdin: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin as AsyncIterable<Buffer | string>) {
    const buffer = Buffer.from(chunk as string);
    bytes += buffer.length;
    if (bytes > STDIN_BYTES_MAX) throw new Error(`stdin has more than ${STDIN_BYTES_MAX} bytes`);
    chunks.push(buffer);
  }
  return Buffer.concat(chunks);
}

/** A secret from stdin, without the line's end. */
export async function readSecret(stdin: Readable): Promise<string> {
  return (await readStdin(stdin)).toString("utf8").trim();
}

/** @returns the path. @throws CliError when there is no such file. */
export function checkFile(path: string): string {
  if (existsSync(path)) return path;
  throw usageError(`There is no file ${path}.`, "name one that exists: --file PATH");
}
