/** Runs the Durable Streams server on one machine. */

import type { ConfigValue } from "@durable-streams-cloudflare/node/config";

import { parseArguments, type Arguments } from "./arguments.ts";
import { ENGINE_DEFAULT, type Engine } from "./engine.ts";
import { launch, readCommandConfig } from "./launch.ts";
import { startNodeServer } from "./node-engine.ts";
import type { LocalServer, ServerOptions } from "./options.ts";
import { loadPrebuilt } from "./prebuilt.ts";
import { startServer as startOnWorkerd } from "./server.ts";

export { formatConfig, type ConfigValue } from "@durable-streams-cloudflare/node/config";
export { claimDataDir } from "./claim.ts";
export type { Engine } from "./engine.ts";
export { Failure } from "./failure.ts";
export type { LocalServer, ServerOptions } from "./options.ts";
export { reshardDataDir, type ReshardOptions } from "./reshard.ts";
export { snapshotDataDir, type DataSnapshot } from "./snapshot.ts";
export { objectId } from "./takeover/object-id.ts";
export { takeOver, type Takeover, type TakeoverOptions } from "./takeover/take-over.ts";

const DATA_DIR = ".data";

/**
 * Runs the server as a command until this process is asked to stop, and then exits.
 * @param argv the flags; `--help` lists them.
 * @param name the command line that runs it, for its help text.
 */
export async function serve(argv: readonly string[], name: string): Promise<void> {
  await launch(argv, { name, dataDir: DATA_DIR, loadWorker: loadPrebuilt });
}

/**
 * Reads the configuration that `serve` would start a server with.
 * @param argv the flags of `serve`.
 * @param sources the environment, and the directory that relative paths begin at.
 * @returns every option, and where its value comes from.
 * @throws Failure which lists everything that is wrong.
 */
export async function explainConfig(
  argv: readonly string[],
  sources: { readonly env: Readonly<Record<string, string | undefined>>; readonly cwd: string },
): Promise<readonly ConfigValue[]> {
  const args: Arguments = { ...parseArguments(argv), instead: "explain" };
  return (await readCommandConfig(args, { ...sources, dataDir: DATA_DIR, loadWorker: loadPrebuilt })).values;
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
