/** Runs the Durable Streams server on one machine. */

import type { ConfigValue } from "@durable-streams-cloudflare/node/config";

import { parseArguments } from "./arguments.ts";
import { ENGINE_DEFAULT, type Engine } from "./engine.ts";
import { launch, readCommandConfig, type Command } from "./launch.ts";
import { startNodeServer } from "./node-engine.ts";
import type { LocalServer, ServerOptions } from "./options.ts";
import { loadPrebuilt } from "./prebuilt.ts";
import { startServer as startOnWorkerd } from "./server.ts";

export { formatConfig, type ConfigValue } from "@durable-streams-cloudflare/node/config";
export { claimDataDir } from "./claim.ts";
export type { Engine } from "./engine.ts";
export { Failure } from "./failure.ts";
export type { LocalServer, ServerOptions } from "./options.ts";

/**
 * Runs the server as a command until this process is asked to stop, and then exits.
 * @param argv the flags; `--help` lists them.
 * @param name the command line that runs it, for its help text.
 */
export async function serve(argv: readonly string[], name: string): Promise<void> {
  await launch(argv, commandOf(name));
}

/**
 * Reads the configuration that `serve` would start a server with.
 * @param argv the flags of `serve`.
 * @returns every option, and where its value comes from.
 * @throws Failure which lists everything that is wrong.
 */
export async function explainConfig(argv: readonly string[], name: string): Promise<readonly ConfigValue[]> {
  return (await readCommandConfig(parseArguments(argv), commandOf(name))).values;
}

function commandOf(name: string): Command {
  return { name, dataDir: ".data", loadWorker: loadPrebuilt };
}

export interface StartOptions extends ServerOptions {
  /** Default: `node`, which runs the server in this process. `workerd` runs it as Cloudflare does, in a process of its own. */
  readonly engine?: Engine | undefined;
}

/**
 * Starts the server and resolves when it accepts requests. A process can run one server on each data directory, and one on
 * workerd in all.
 * @throws Failure when the server cannot start: `message` says why, and `fix` says what to do.
 * @example
 * const server = await startServer({ dataDir: "data", port: 0 });
 * await fetch(`${server.url}/v1/stream/hello`, { method: "PUT" });
 * await server.stop();
 */
export function startServer({ engine = ENGINE_DEFAULT, ...options }: StartOptions): Promise<LocalServer> {
  return engine === "node" ? startNodeServer(options) : startOnWorkerd(options, loadPrebuilt);
}
