/** The server as a command: flags, signals, exit codes. */

import { Console } from "node:console";

import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import { formatConfig } from "@durable-streams-cloudflare/node/config";

import { formatHelp, parseArguments, type Arguments } from "./arguments.ts";
import { formatBanner } from "./banner.ts";
import { commandConfig, type CommandConfig, type CommandSources } from "./command-config.ts";
import { EXIT, Failure, formatFailure } from "./failure.ts";
import { startNodeServer } from "./node-engine.ts";
import { npmAncestors, whenAnyEnds } from "./npm-ancestors.ts";
import type { LocalServer } from "./options.ts";
import { startServer } from "./server.ts";
import { takeSignals } from "./signals.ts";
import type { WorkerBundle } from "./worker-bundle.ts";

export interface Command {
  /** The command line that runs it, without its flags. */
  readonly name: string;
  /** The data directory if `--data-dir` is not given. */
  readonly dataDir: string;
  readonly loadWorker: () => Promise<WorkerBundle>;
}

/** A single Ctrl-C or closed terminal may arrive several times: from the kernel, from npm, and because npm ends. */
const SAME_REQUEST_MS = 250;

/**
 * Runs the server until this process is asked to stop, and exits with an exit code of packages/local/README.md.
 * @param argv the flags.
 */
export async function launch(argv: readonly string[], command: Command): Promise<void> {
  // Stdout is for what the command was asked for; log lines go to stderr.
  globalThis.console = new Console(process.stderr, process.stderr);
  process.umask(0o077); // Only this user may read the files that are written; workerd inherits this.
  const running = new RunningServer();
  takeSignals(() => running.end());
  whenAnyEnds(npmAncestors(), () => running.endWithParent());
  try {
    const args = parseArguments(argv);
    if (args.help) return void process.stdout.write(formatHelp(command.name));
    const config = await readCommandConfig(args, { ...command, env: process.env, cwd: process.cwd() });
    if (args.instead === "explain") process.stdout.write(formatConfig(config.values));
    else if (args.instead === "check") process.stdout.write("The configuration is valid.\n");
    else await running.start(args, config, command);
  } catch (error) {
    running.fail(error);
  }
}

/** @throws Failure which lists everything that is wrong. */
export async function readCommandConfig(
  args: Arguments,
  { loadWorker, ...sources }: Pick<Command, "loadWorker"> & Omit<CommandSources, "wrangler">,
): Promise<CommandConfig> {
  const config = commandConfig(args, sources);
  if (args.instead === undefined || config.engine === "node") return config;
  // A server that starts reads these itself, with the Worker.
  return commandConfig(args, { ...sources, wrangler: (await loadWorker()).config.vars });
}

class RunningServer {
  #server: LocalServer | undefined;
  #drainMs = 0;
  #isQuiet = false;
  #endingSinceMs: number | undefined;

  async start(args: Arguments, { engine, drainMs, ...config }: CommandConfig, command: Command): Promise<void> {
    this.#drainMs = drainMs;
    this.#isQuiet = args.quiet;
    const options = { ...config, onFailure: (failure: Error): void => this.fail(failure) };
    if (engine === "node") process.on("unhandledRejection", reportStray);
    const server = await (engine === "node" ? startNodeServer(options) : startServer(options, command.loadWorker));
    this.#server = server;
    const { url, metricsUrl } = server;
    const ready = { url, pid: process.pid, dataDir: server.dataDir, metricsUrl };
    if (args.readyJson) process.stdout.write(`${JSON.stringify(ready)}\n`);
    if (!args.quiet) process.stdout.write(formatBanner(server));
  }

  /** The first call stops the server gracefully, the second one at once. */
  end(): void {
    if (this.#endingSinceMs !== undefined) {
      if (performance.now() - this.#endingSinceMs > SAME_REQUEST_MS) process.exit(EXIT.interrupted);
      return;
    }
    this.#endingSinceMs = performance.now();
    // A server that is still starting has answered nobody, so it simply ends with this process.
    const stopped = this.#server === undefined ? Promise.resolve() : this.#stop(this.#server);
    stopped.then(() => process.exit(EXIT.stopped), exitWith);
  }

  async #stop(server: LocalServer): Promise<void> {
    this.#say(
      `Stopping: waiting up to ${this.#drainMs / 1000} s for requests in flight. Press Ctrl-C again to stop at once.`,
    );
    await server.stop(this.#drainMs);
    this.#say("Stopped.");
  }

  #say(line: string): void {
    if (!this.#isQuiet) process.stderr.write(`${line}\n`);
  }

  endWithParent(): void {
    if (this.#endingSinceMs === undefined) this.end();
  }

  /** Failures while stopping are a consequence of stopping, so they are ignored. */
  fail(error: unknown): void {
    if (this.#endingSinceMs === undefined) exitWith(error);
  }
}

/** Work that nobody waits for has failed. What is stored does not depend on it, and all other clients shall be served. */
function reportStray(error: unknown): void {
  logFault("error", "Work in the background failed.", error);
}

/** workerd ends with this process, whatever the reason. */
function exitWith(error: unknown): void {
  const failure = error instanceof Failure ? error : undefined;
  process.stderr.write(failure ? formatFailure(failure) : `${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(failure?.exitCode ?? EXIT.failed);
}
