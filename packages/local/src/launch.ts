/** The server as a command: flags, signals, exit codes. */

import { formatHelp, parseArguments, type Arguments } from "./arguments.ts";
import { formatBanner } from "./banner.ts";
import { EXIT, Failure, formatFailure } from "./failure.ts";
import { npmAncestors, whenAnyEnds } from "./npm-ancestors.ts";
import { startServer, type LocalServer } from "./server.ts";
import { takeSignals } from "./signals.ts";
import type { WorkerBundle } from "./worker-bundle.ts";

export interface Command {
  /** How it is called, up to its flags. */
  readonly name: string;
  /** Without `--data-dir`. */
  readonly dataDir: string;
  readonly loadWorker: () => Promise<WorkerBundle>;
}

/** One Ctrl-C or closed terminal may arrive several times: from the kernel, from npm, and as the end of npm. */
const SAME_REQUEST_MS = 250;

/**
 * Runs the server until this process is asked to end, and ends it with an exit code of packages/local/README.md.
 * @param argv the flags.
 */
export async function launch(argv: readonly string[], command: Command): Promise<void> {
  process.umask(0o077); // What is written here is for this user alone; workerd inherits it.
  const running = new RunningServer();
  takeSignals(() => running.end());
  whenAnyEnds(npmAncestors(), () => running.endWithParent());
  try {
    const args = parseArguments(argv);
    if (args.help) process.stdout.write(formatHelp(command.name));
    else await running.start(args, command);
  } catch (error) {
    running.fail(error);
  }
}

class RunningServer {
  #server: LocalServer | undefined;
  #drainMs = 0;
  #isQuiet = false;
  #endingSinceMs: number | undefined;

  async start(args: Arguments, command: Command): Promise<void> {
    this.#drainMs = args.drainSeconds * 1000;
    this.#isQuiet = args.quiet;
    const { host, port, metricsPort, variables: settings, dataDir = command.dataDir } = args;
    const onFailure = (failure: Error): void => this.fail(failure);
    const options = { host, port, metricsPort, settings, dataDir, onFailure };
    const server = await startServer(options, command.loadWorker);
    this.#server = server;
    const { url, metricsUrl } = server;
    const ready = { url, pid: process.pid, dataDir: server.dataDir, metricsUrl };
    if (args.readyJson) process.stdout.write(`${JSON.stringify(ready)}\n`);
    if (!args.quiet) process.stdout.write(formatBanner(server));
  }

  /** The first request to end is carried out in order, the second at once. */
  end(): void {
    if (this.#endingSinceMs !== undefined) {
      if (performance.now() - this.#endingSinceMs > SAME_REQUEST_MS) process.exit(EXIT.interrupted);
      return;
    }
    this.#endingSinceMs = performance.now();
    // What is only starting is not waited for: it has answered nobody, and ends with this process.
    const stopped = this.#server === undefined ? Promise.resolve() : this.#stop(this.#server);
    stopped.then(() => process.exit(EXIT.stopped), exitWith);
  }

  async #stop(server: LocalServer): Promise<void> {
    this.#say(`Stopping: requests in flight have ${this.#drainMs / 1000} s. Ctrl-C again cuts them off.`);
    await server.stop(this.#drainMs);
    this.#say("Stopped.");
  }

  #say(line: string): void {
    if (!this.#isQuiet) process.stderr.write(`${line}\n`);
  }

  endWithParent(): void {
    if (this.#endingSinceMs === undefined) this.end();
  }

  /** Once we are ending, whatever breaks is a consequence of that. */
  fail(error: unknown): void {
    if (this.#endingSinceMs === undefined) exitWith(error);
  }
}

/** workerd ends with this process, whatever its reason. */
function exitWith(error: unknown): void {
  const failure = error instanceof Failure ? error : undefined;
  process.stderr.write(failure ? formatFailure(failure) : `${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(failure?.exitCode ?? EXIT.failed);
}
