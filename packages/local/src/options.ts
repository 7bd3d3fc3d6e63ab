/** What a server on this machine is started with, and what the program that started it gets, whatever the engine. */

import type { StorageOptions, TelemetryOptions, TlsOptions } from "@durable-streams-cloudflare/node";

/** The options of `startServer`. */
export interface ServerOptions {
  /** The directory that holds the data; created when missing. */
  readonly dataDir: string;
  /** Address to listen on; default 127.0.0.1. */
  readonly host?: string | undefined;
  /** Port to listen on; default 4437. 0 picks a free one. */
  readonly port?: number | undefined;
  /** Settings of the server by name, as with `--var`. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** On the engine `node`: how the data is stored; default `file-durable`. With mode `memory`, `dataDir` is not used. */
  readonly storage?: Omit<StorageOptions, "dataDir" | "status"> | undefined;
  /** On the engine `node`: the certificate of a server that speaks HTTPS. Default: plain HTTP. */
  readonly tls?: TlsOptions | undefined;
  /** On the engine `node`: where traces and metrics are sent. Default: nowhere. */
  readonly telemetry?: TelemetryOptions | undefined;
  /** Serves `/metrics` for Prometheus on this port of 127.0.0.1; 0 picks a free one. Default: no metrics. */
  readonly metricsPort?: number | undefined;
  /** Called once if the server cannot go on: workerd cannot be kept running, or the disk failed. */
  readonly onFailure?: ((failure: Error) => void) | undefined;
}

/** A running server. */
export interface LocalServer {
  /** The server's URL, without a trailing slash. */
  readonly url: string;
  /** URL of the metrics page, if there is one. */
  readonly metricsUrl: string | undefined;
  /** `undefined`: the server stores everything in memory. */
  readonly dataDir: string | undefined;
  readonly settings: Readonly<Record<string, unknown>>;
  /**
   * Stops the server: it accepts no new connections, ends live reads between two events, and lets requests in flight continue.
   * @param drainMs how long they may continue; after that they are aborted. Default: 5 seconds.
   */
  stop(drainMs?: number): Promise<void>;
}

export const PORT_DEFAULT = 4437;
export const DRAIN_MS_DEFAULT = 5_000;
