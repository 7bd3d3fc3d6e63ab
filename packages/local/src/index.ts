/** Runs the Durable Streams server on one machine. */

import { launch } from "./launch.ts";
import { loadPrebuilt } from "./prebuilt.ts";
import { startServer as startWith, type LocalServer, type ServerOptions } from "./server.ts";

export { claimDataDir } from "./claim.ts";
export { Failure } from "./failure.ts";
export type { LocalServer, ServerOptions } from "./server.ts";

/**
 * Runs the server as a command until this process is asked to stop, and then exits.
 * @param argv the flags; `--help` lists them.
 * @param name the command line that runs it, for its help text.
 */
export async function serve(argv: readonly string[], name: string): Promise<void> {
  await launch(argv, { name, dataDir: ".data", loadWorker: loadPrebuilt });
}

/**
 * Starts the server in this process and resolves when it accepts requests. A process can run one server at a time.
 * @throws Failure when the server cannot start: `message` says why, and `fix` says what to do.
 * @example
 * const server = await startServer({ dataDir: "data", port: 0 });
 * await fetch(`${server.url}/v1/stream/hello`, { method: "PUT" });
 * await server.stop();
 */
export function startServer(options: ServerOptions): Promise<LocalServer> {
  return startWith(options, loadPrebuilt);
}
