/** What the launcher asks of the Worker, over a socket that only this user can open. `worker/main.ts` answers. */

import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { join, relative } from "node:path";
import { text } from "node:stream/consumers";

import { Failure } from "./failure.ts";

/** Of a Unix socket's path, on all systems. */
const PATH_BYTES_MAX = 100;
const ANSWER_LIMIT_MS = 2_000;

/** @param directory of which others may not even see the names. */
export function controlPath(directory: string): string {
  const absolute = join(directory, "control");
  const fromHere = relative(process.cwd(), absolute);
  const path = fromHere.length < absolute.length ? fromHere : absolute;
  if (Buffer.byteLength(path) <= PATH_BYTES_MAX) return path;
  throw new Failure(
    `The path of the data directory is too long for a socket in it: ${directory}`,
    `choose one of at most ${PATH_BYTES_MAX - 20} bytes, or start the server from nearby: --data-dir DIR`,
  );
}

/** @throws Error when workerd does not answer: it is starting, or ending. */
export async function askForMetrics(socketPath: string): Promise<string> {
  return ask(socketPath, "GET", "/metrics");
}

/** @throws Error as `askForMetrics`. */
export async function endLiveReads(socketPath: string): Promise<void> {
  await ask(socketPath, "POST", "/end-live-reads");
}

async function ask(socketPath: string, method: string, path: string): Promise<string> {
  // A connection of its own: one that is kept would have to be waited for when workerd ends.
  const asked = request({ socketPath, method, path, agent: false, signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
  asked.end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  const answer = await text(response);
  if (response.statusCode !== 200 && response.statusCode !== 204) {
    throw new Error(`${method} ${path} was answered ${response.statusCode}: ${answer}`);
  }
  return answer;
}
