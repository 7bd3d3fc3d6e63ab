/** Targets that are Node.js programs. Each runs in its own process and reports its URL when it listens. */
import { fork } from "node:child_process";
import { once } from "node:events";

import { processTarget, type Target } from "./target.ts";

export async function startForked(program: URL, args: readonly string[]): Promise<Target> {
  const child = fork(program, args, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const exited = once(child, "exit");
  const [url] = (await Promise.race([
    once(child, "message"),
    exited.then(([code]) => Promise.reject(new Error(`${program.pathname} ended with exit code ${String(code)}`))),
  ])) as [string];
  return processTarget(url, child);
}
