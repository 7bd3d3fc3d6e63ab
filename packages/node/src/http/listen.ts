/** The listener: takes connections on a port and passes their requests to the engine. */

import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import type { AddressInfo, Server as NetServer } from "node:net";

import { logFault } from "@durable-streams-cloudflare/core/kit/log";

import type { Engine } from "../compose/engine.ts";
import { Connections, connectionsMax, refuseConnection, type ConnectionsMax } from "./connections.ts";
import { endSilent, limitTimes, refuseTunnels, serverOptions, type TimeLimits } from "./limits.ts";
import { openFiles, openFilesMax } from "./open-files.ts";
import { serve, type Handlers } from "./serve.ts";
import type { TlsOptions } from "./tls/certificate-files.ts";
import { secureServer } from "./tls/secure-server.ts";
import { asksForSocket, Upgrades } from "./upgrades.ts";

/** Where the server listens. */
export interface ListenOptions {
  /** The address to listen on; default 127.0.0.1. */
  readonly host?: string;
  /** The port to listen on; 0 picks a free one. */
  readonly port: number;
  /** With it the server speaks HTTPS: HTTP/2 and HTTP/1.1 on one port. The files are read again when they change. */
  readonly tls?: TlsOptions | undefined;
  /** How many connections it has at most. By default as many as the process may open files for. */
  readonly connectionsMax?: ConnectionsMax | undefined;
  /** How long the head of a request may take to arrive, in ms; default 15 seconds. */
  readonly headersMsMax?: number | undefined;
}

/** A port that takes requests. */
export interface Listener {
  /** The listener's URL, without a trailing slash. */
  readonly url: string;
  /**
   * Takes no new connections and resolves when those that are open have ended.
   * @param drainMs how long requests in flight may continue; after that they are aborted.
   */
  close(drainMs: number): Promise<void>;
}

/**
 * Listens on a port. Resolves when the listener accepts connections.
 * @throws Error of the system if the port cannot be used, or if the certificate cannot be used.
 */
export async function listen(engine: Engine, options: ListenOptions): Promise<Listener> {
  const { host = "127.0.0.1", port, tls } = options;
  const scheme = tls === undefined ? "http" : "https";
  const connections = new Connections(options.connectionsMax ?? connectionsMax(openFilesMax(), openFiles()));
  const handlers = handlersOf(engine, scheme);
  const limits = { ...engine.config, headersMsMax: options.headersMsMax };
  const server =
    tls === undefined ? plain(limits, handlers, connections) : secureServer(tls, limits, { handlers, connections });
  try {
    await bind(server.front, host, port);
  } catch (error) {
    await server.close(0);
    throw error;
  }
  // A connection that the system cannot hand over must not end the process.
  server.front.on("error", (error) => logFault(engine.config.logLevel, "A connection could not be taken.", error));
  const address = server.front.address() as AddressInfo;
  return {
    url: `${scheme}://${host.includes(":") ? `[${host}]` : host}:${address.port}`,
    close: (drainMs) => server.close(drainMs),
  };
}

function handlersOf(engine: Engine, scheme: "http" | "https"): Handlers {
  const { logLevel } = engine.config;
  const answer = engine.answer.bind(engine);
  const arrival = { scheme } as const;
  const upgrades = engine.hasSockets ? new Upgrades(logLevel) : undefined;
  return {
    onUpgrade: upgrades && ((message, socket, head) => void upgrades.serve({ message, socket, head, arrival }, answer)),
    onRequest: (message, response) => serve({ message, response, arrival }, logLevel, answer),
    onRefused: (message, response) => {
      if (message.httpVersionMajor === 1) (response as ServerResponse).shouldKeepAlive = false;
      // The session ends when its streams have ended, and takes no new ones.
      else (message as Http2ServerRequest).stream.session?.close();
      serve({ message, response, arrival }, logLevel, refuseConnection);
    },
  };
}

function plain(limits: TimeLimits, { onRequest, onRefused, onUpgrade }: Handlers, connections: Connections) {
  const options = {
    ...serverOptions(limits),
    // Any other is answered as it is: Node.js would not read its body.
    shouldUpgradeCallback: (message: IncomingMessage) =>
      onUpgrade !== undefined && asksForSocket(message) && !connections.isRefused(message.socket),
  };
  const server = createHttpServer(options, (message, response) =>
    (connections.isRefused(message.socket) ? onRefused : onRequest)(message, response),
  );
  if (onUpgrade !== undefined) server.on("upgrade", onUpgrade);
  limitTimes(server, limits);
  refuseTunnels(server);
  server.on("connection", (socket) => connections.add(socket));
  return { front: server, close: (drainMs: number) => closeServer(server, connections, drainMs) };
}

function bind(server: NetServer, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

async function closeServer(server: Server, { sockets }: Connections, drainMs: number): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  endSilent(sockets);
  const timer = setTimeout(() => server.closeAllConnections(), drainMs);
  await closed;
  clearTimeout(timer);
}
