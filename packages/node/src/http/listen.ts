/** The listener: takes connections on a port and passes their requests to the engine. */

import { createServer as createHttpServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import type { Engine } from "../compose/engine.ts";
import { serve } from "./serve.ts";

/** Where the server listens. */
export interface ListenOptions {
  /** The address to listen on; default 127.0.0.1. */
  readonly host?: string;
  /** The port to listen on; 0 picks a free one. */
  readonly port: number;
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
 * @throws Error of the system if the port cannot be used.
 */
export async function listen(engine: Engine, { host = "127.0.0.1", port }: ListenOptions): Promise<Listener> {
  const arrival = { scheme: "http" } as const;
  const answer = engine.answer.bind(engine);
  const server = createHttpServer({ keepAliveTimeout: 65_000 }, (message, response) => {
    void serve({ message, response, arrival }, engine.config.logLevel, answer);
  });
  // This server is not a proxy.
  server.on("connect", (_, socket) => socket.end("HTTP/1.1 501 Not Implemented\r\nConnection: close\r\n\r\n"));
  await bind(server, host, port);
  const address = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`,
    close: (drainMs) => closeServer(server, drainMs),
  };
}

function bind(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

async function closeServer(server: Server, drainMs: number): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), drainMs);
  await closed;
  clearTimeout(timer);
}
