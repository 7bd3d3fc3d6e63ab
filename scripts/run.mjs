/**
 * `node scripts/run.mjs PROGRAM [flags]`: installs what a program of this repository needs, and runs it in this process; where
 * this Node.js is too old, on the one of the workspace. JavaScript, because it runs before that is installed.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { EVERYTHING, install, isNewEnough, NODE_OF_WORKSPACE, RUNNING } from "./install.mjs";

const [program, ...flags] = process.argv.slice(2);

// workerd is installed with the tools only: wrangler bundles what runs on it.
const isOnWorkerd = /(^| )--engine[= ]workerd\b/.test(flags.join(" ")) || process.env.DS_SERVER__ENGINE === "workerd";
install(isOnWorkerd && !isRefused() ? EVERYTHING : RUNNING);
if (isNewEnough()) {
  process.argv.splice(1, 2, resolve(program));
  await import(pathToFileURL(resolve(program)).href);
} else {
  runOn(NODE_OF_WORKSPACE);
}

/**
 * Whether the program will refuse to run workerd on the data directory, as it has data of the engine node (`engine.ts` of
 * packages/local): then nobody waits for workerd first. A directory that a configuration file may name is not looked at.
 */
function isRefused() {
  const [, flag] = /(?:^|\0)--data-dir[=\0]([^\0]+)/.exec(flags.join("\0")) ?? [];
  const isServer = program.endsWith("main.ts");
  const isConfigured = existsSync("config") || flags.some((each) => each.startsWith("--config"));
  const dataDir = flag ?? process.env.DS_STORAGE__DATA_DIR ?? (isServer && !isConfigured ? ".data" : undefined);
  if (dataDir === undefined) return false;
  // The command-line tool runs where the user is.
  const from = isServer ? "" : (process.env.INIT_CWD ?? "");
  const has = (name) => existsSync(resolve(from, dataDir, name));
  return has("streams.sqlite") && !has("do");
}

/** Passes signals on, and ends as the program does. Should this process be killed, the server sees it (`npm-ancestors.ts`). */
function runOn(node) {
  const child = spawn(node, [program, ...flags], { stdio: "inherit" });
  // A terminal sends SIGINT to every process of its own accord.
  const signals = ["SIGTERM", "SIGHUP", ...(process.stdin.isTTY ? [] : ["SIGINT"])];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  if (process.stdin.isTTY) process.on("SIGINT", () => undefined);
  child.on("exit", (status, signal) => {
    if (signal === null) process.exit(status);
    for (const name of [...signals, "SIGINT"]) process.removeAllListeners(name);
    process.kill(process.pid, signal);
  });
}
