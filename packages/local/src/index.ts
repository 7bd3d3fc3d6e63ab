/** The Durable Streams server on one machine. */

import { launch } from "./launch.ts";
import { loadPrebuilt } from "./prebuilt.ts";
import { startServer as startWith, type LocalServer, type ServerOptions } from "./server.ts";

export { claimDataDir } from "./claim.ts";
export { Failure } from "./failure.ts";
export type { LocalServer, ServerOptions } from "./server.ts";

/**
 * Runs the server as a command until this process is asked to end, and then exits.
 * @param argv the flags; `--help` lists them.
 * @param name how the command is called, for its help.
 */
export async function serve(argv: readonly string[], name: string): Promise<void> {
  await launch(argv, { name, dataDir: ".data", loadWorker: loadPrebuilt });
}

/**
 * Starts the server in this process, and returns when it can serve. One at a time.
 * @throws Failure when it cannot start: its `message` says why, its `fix` what to do.
 * @example
 * const server = await startServer({ dataDir: "data", port: 0 });
 * await fetch(`${server.url}/v1/stream/hello`, { method: "PUT" });
 * await server.stop();
 */
export function startServer(options: ServerOptions): Promise<LocalServer> {
  return startWith(options, loadPrebuilt);
}
