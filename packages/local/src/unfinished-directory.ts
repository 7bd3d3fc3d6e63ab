/** New data directories, which get their names when they are complete and durable. */

import { existsSync, readdirSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { syncDirectory } from "@durable-streams-cloudflare/node/data";

import { Failure } from "./failure.ts";
import { lockDataDir } from "./lock.ts";

/** @throws Failure if there is anything in the directory. */
export function requireNoData(to: string): void {
  if (!existsSync(to) || readdirSync(to).length === 0) return;
  throw new Failure(`${to} is not empty.`, "use another directory: --to DIR; or start the server on this one");
}

/**
 * Runs `work` on a directory beside the new one, and gives it its name: what is interrupted leaves nothing that a server would
 * start on. What an interrupted one has left there goes.
 */
export async function writeUnfinished<T>(to: string, work: (unfinished: string) => Promise<T>): Promise<T> {
  const unfinished = join(dirname(to), `${basename(to)}.unfinished`);
  // Another command may be writing it.
  const lock = lockDataDir(unfinished);
  const data = join(unfinished, "data");
  try {
    rmSync(data, { recursive: true, force: true });
    const result = await work(data);
    if (existsSync(to)) rmdirSync(to);
    renameSync(data, to);
    syncDirectory(dirname(to));
    return result;
  } finally {
    rmSync(data, { recursive: true, force: true });
    lock.release();
    rmSync(unfinished, { recursive: true, force: true });
  }
}
