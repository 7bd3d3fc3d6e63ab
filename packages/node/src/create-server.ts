/** The server with a port of its own. */

import type { Config } from "@durable-streams-cloudflare/core/config";
import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import { formatPrometheus } from "@durable-streams-cloudflare/http/metrics/prometheus";

import { openEngine, type EngineOptions } from "./compose/engine.ts";
import { listen, type ListenOptions } from "./http/listen.ts";
import type { Recovery } from "./storage/recovery.ts";

/** What a server is made from. */
export interface ServerOptions extends EngineOptions, ListenOptions {
  /** Called when the server cannot continue. By default the process ends. */
  readonly onFatal?: (error: unknown) => void;
}

/** A server that accepts requests. */
export interface RunningServer {
  /** The server's URL, without a trailing slash. */
  readonly url: string;
  /** What the last server on this data directory had left undone; `undefined` when it ended in order. */
  readonly recovery: Recovery | undefined;
  /**
   * Ends live reads between two events, closes sockets with 1001, lets requests in flight finish, and makes everything durable.
   * @param drainMs how long requests in flight may continue; after that they are aborted.
   */
  close(drainMs?: number): Promise<void>;
  /** What the server itself measures, in the text format of Prometheus. */
  metrics(): string;
  /** What `/metrics` answers: with `moreMetrics`. */
  allMetrics(): Promise<string>;
}

/** How long requests in flight may continue after the server was told to stop. */
const DRAIN_MS_DEFAULT = 10_000;

/**
 * Opens the data directory and listens on a port. Resolves when the server accepts requests.
 * @throws ConfigError if a setting is invalid.
 * @throws Error if the data directory or the port cannot be used.
 */
export async function createServer(options: ServerOptions): Promise<RunningServer> {
  const engine = openEngine(options, { onFatal: options.onFatal ?? endProcess });
  try {
    await engine.prepare();
    const listener = await listen(engine, options);
    engine.start();
    let closing: Promise<void> | undefined;
    const close = async (drainMs: number): Promise<void> => {
      engine.endLiveReads();
      await Promise.all([engine.closeSockets(drainMs), listener.close(drainMs)]);
      await engine.close();
    };
    return {
      url: listener.url,
      recovery: engine.recovery,
      metrics: () => formatPrometheus(engine.metrics()),
      allMetrics: async () => formatPrometheus(await engine.allMetrics()),
      close: (drainMs = DRAIN_MS_DEFAULT) => (closing ??= close(drainMs)),
    };
  } catch (error) {
    // The data directory must be free for the next attempt.
    await engine.close();
    throw error;
  }
}

/** Ends the process: only a new one, which reads the disk again, can tell what is durable. */
function endProcess(error: unknown, { logLevel }: Pick<Config, "logLevel">): void {
  logFault(logLevel, "The server stops, because the disk failed.", error);
  process.exit(70);
}
