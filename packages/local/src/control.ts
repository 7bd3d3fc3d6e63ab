/** The launcher's requests to the Worker, over a socket that only this user can open. `worker/main.ts` answers them. */

import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { join, relative } from "node:path";
import { text } from "node:stream/consumers";

import { Failure } from "./failure.ts";

/** Longest path of a Unix socket that every system accepts. */
const PATH_BYTES_MAX = 100;
const ANSWER_LIMIT_MS = 2_000;

/**
 * The path of the control socket: relative to the working directory if that is shorter, because the length is limited.
 * @param directory a directory that other users cannot list.
 */
export function controlPath(directory: string): string {
  const absolute = join(directory, "control");
  const fromHere = relative(process.cwd(), absolute);
  const path = fromHere.length < absolute.length ? fromHere : absolute;
  if (Buffer.byteLength(path) <= PATH_BYTES_MAX) return path;
  throw new Failure(
    `The path of the data directory is too long to hold a Unix socket: ${directory}`,
    `use a path of at most ${PATH_BYTES_MAX - 20} bytes (--data-dir DIR), or start the server in a folder close to it`,
  );
}

/**
 * Fetches the Worker's metrics, in Prometheus's format.
 * @throws Error while workerd does not answer, because it is starting or stopping.
 */
export async function askForMetrics(socketPath: string): Promise<string> {
  return ask(socketPath, "GET", "/metrics");
}

/**
 * Ends all live reads.
 * @throws Error in the same cases as `askForMetrics`.
 */
export async function endLiveReads(socketPath: string): Promise<void> {
  await ask(socketPath, "POST", "/end-live-reads");
}

async function ask(socketPath: string, method: string, path: string): Promise<string> {
  // A new connection for each request: workerd would have to wait for a kept-alive one when it stops.
  const asked = request({ socketPath, method, path, agent: false, signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
  asked.end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  const answer = await text(response);
  if (response.statusCode !== 200 && response.statusCode !== 204) {
    throw new Error(`${method} ${path} was answered with status ${response.statusCode}: ${answer}`);
  }
  return answer;
}
