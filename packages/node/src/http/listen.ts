/** The listener: takes connections on a port and passes their requests to the engine. */

import { createServer as createHttpServer, type Server } from "node:http";
import type { AddressInfo, Server as NetServer, Socket } from "node:net";

import type { Engine } from "../compose/engine.ts";
import type { NodeRequest, NodeResponse } from "./incoming-request.ts";
import { endSilent, limitTimes, SERVER_OPTIONS } from "./limits.ts";
import { serve } from "./serve.ts";
import type { TlsOptions } from "./tls/certificate-files.ts";
import { secureServer } from "./tls/secure-server.ts";

/** Where the server listens. */
export interface ListenOptions {
  /** The address to listen on; default 127.0.0.1. */
  readonly host?: string;
  /** The port to listen on; 0 picks a free one. */
  readonly port: number;
  /** With it the server speaks HTTPS: HTTP/2 and HTTP/1.1 on one port. The files are read again when they change. */
  readonly tls?: TlsOptions | undefined;
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
export async function listen(engine: Engine, { host = "127.0.0.1", port, tls }: ListenOptions): Promise<Listener> {
  const scheme = tls === undefined ? "http" : "https";
  const arrival = { scheme } as const;
  const answer = engine.answer.bind(engine);
  const onRequest = (message: NodeRequest, response: NodeResponse): void => {
    void serve({ message, response, arrival }, engine.config.logLevel, answer);
  };
  const server = tls === undefined ? plain(engine, onRequest) : secureServer(tls, engine.config, onRequest);
  try {
    await bind(server.front, host, port);
  } catch (error) {
    await server.close(0);
    throw error;
  }
  const address = server.front.address() as AddressInfo;
  return {
    url: `${scheme}://${host.includes(":") ? `[${host}]` : host}:${address.port}`,
    close: (drainMs) => server.close(drainMs),
  };
}

function plain({ config }: Engine, onRequest: (message: NodeRequest, response: NodeResponse) => void) {
  const server = createHttpServer(SERVER_OPTIONS, onRequest);
  limitTimes(server, config);
  // This server is not a proxy.
  server.on("connect", (_, socket) => socket.end("HTTP/1.1 501 Not Implemented\r\nConnection: close\r\n\r\n"));
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  return { front: server, close: (drainMs: number) => closeServer(server, sockets, drainMs) };
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

async function closeServer(server: Server, sockets: ReadonlySet<Socket>, drainMs: number): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  endSilent(sockets);
  const timer = setTimeout(() => server.closeAllConnections(), drainMs);
  await closed;
  clearTimeout(timer);
}
