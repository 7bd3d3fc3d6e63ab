/** The deployment that `doctor --network` examines: test streams that are deleted at the end, and requests that are timed. */

import { randomUUID } from "node:crypto";

import { HEADER } from "@durable-streams-cloudflare/protocol";

import { CliError } from "../../failure.ts";
import type { Call, Server } from "../../server.ts";

/** Test streams of a run that is interrupted disappear by themselves after this time. */
const TTL_SECONDS = 3_600;

export interface DeploymentOptions {
  readonly server: Server;
  /** How long the probes of idle readers wait, in seconds. */
  readonly idleSeconds: number;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

export class Deployment {
  readonly server: Server;
  readonly idleMs: number;
  readonly signal: AbortSignal;
  readonly #made = new Set<string>();

  constructor({ server, idleSeconds, signal }: DeploymentOptions) {
    this.server = server;
    this.idleMs = idleSeconds * 1000;
    this.signal = signal;
  }

  /** Makes a test stream of its own for a probe. @returns its name. @throws CliError */
  async makeStream(contentType = "text/plain"): Promise<string> {
    const name = this.newName();
    await this.create(name, contentType);
    return name;
  }

  /** A name that no stream has, below `doctor-`. */
  newName(): string {
    return `doctor-${randomUUID()}`;
  }

  async create(name: string, contentType = "text/plain"): Promise<void> {
    this.#made.add(name);
    await this.send("PUT", name, { headers: { "Content-Type": contentType, [HEADER.ttl]: String(TTL_SECONDS) } });
  }

  async append(name: string, body: string | Uint8Array<ArrayBuffer>, contentType = "text/plain"): Promise<Response> {
    return this.send("POST", name, { headers: { "Content-Type": contentType }, body });
  }

  async delete(name: string): Promise<void> {
    await this.send("DELETE", name);
    this.#made.delete(name);
  }

  /** A request to a test stream. @throws CliError unless the status is 2xx. */
  send(method: string, name: string, { headers, ...call }: Call = {}): Promise<Response> {
    const { server } = this;
    return server.send(method, server.streamPath(name), {
      ...call,
      headers: { ...headers, ...server.authorization("manage") },
    });
  }

  /** The text of the stream from its beginning. */
  async read(name: string, query: Readonly<Record<string, string>> = { offset: "-1" }): Promise<string> {
    return (await this.send("GET", name, { query })).text();
  }

  /** The code of the problem that a read is refused with; `undefined` if it succeeds. */
  async refusalOf(name: string, query?: Readonly<Record<string, string | undefined>>): Promise<string | undefined> {
    try {
      const response = await this.send("GET", name, query === undefined ? {} : { query });
      await response.arrayBuffer();
      return undefined;
    } catch (error) {
      if (error instanceof CliError && error.code !== "unreachable") return error.code;
      throw error;
    }
  }

  /** Deletes what the probes have made and not deleted, as far as the server answers. @returns how many it could not delete. */
  async cleanUp(): Promise<number> {
    for (const name of this.#made) await this.delete(name).catch(() => undefined);
    return this.#made.size;
  }
}

/** Runs a task repeatedly, one after another. @returns how long each took, in milliseconds, in ascending order. */
export async function timesOf(count: number, task: (index: number) => Promise<void>): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const startMs = performance.now();
    await task(index);
    times.push(performance.now() - startMs);
  }
  return times.sort((left, right) => left - right);
}

/** The median and the 95th percentile of times in ascending order. */
export function describeTimes(times: readonly number[]): string {
  const at = (share: number): number =>
    Math.round(times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0);
  return `median ${at(0.5)} ms, 95th percentile ${at(0.95)} ms of ${times.length}`;
}
