/** HTTP/2 and HTTP/1.1 over TLS on one port. Plain HTTP on that port is answered with where to go. */

import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type ServerOptions as HttpOptions,
} from "node:http";
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from "node:http2";
import { createServer as createNetServer, type Server as NetServer, type Socket } from "node:net";

import type { Config } from "@durable-streams-cloudflare/core/config";
import { logFault, logWarning } from "@durable-streams-cloudflare/core/kit/log";

import type { Connections } from "../connections.ts";
import { isHost } from "../host.ts";
import type { NodeResponse } from "../incoming-request.ts";
import {
  answerClientErrors,
  endSilent,
  HTTP2_OPTIONS,
  KEEP_ALIVE_MS,
  limitTimes,
  refuseTunnels,
  serverOptions,
  type TimeLimits,
  watchTimes,
} from "../limits.ts";
import type { Handlers } from "../serve.ts";
import { asksForSocket } from "../upgrades.ts";
import {
  openKeyWarning,
  readCertificate,
  watchCertificate,
  type Certificate,
  type TlsOptions,
} from "./certificate-files.ts";

/** A server that is not listening yet. */
export interface SecureServer {
  /** Takes the connections. */
  readonly front: NetServer;
  /** Takes no new requests, and resolves when all connections have ended. Cuts those that are left after `drainMs`. */
  close(drainMs: number): Promise<void>;
}

/** What `allowHTTP1` adds to the server. */
type Http1Part = Pick<HttpServer, "closeIdleConnections" | "headersTimeout" | "keepAliveTimeout" | "requestTimeout">;

/** Options of HTTP/1.1, which the types of Node.js do not mention. */
type Http1Options = Pick<HttpOptions, "shouldUpgradeCallback">;

/** The first byte of a TLS handshake. */
const HANDSHAKE = 0x16;
const HANDSHAKE_MS_MAX = 15_000;
/** While the server closes, connections of HTTP/1.1 become idle one by one. */
const IDLE_CHECK_MS = 50;

/** What answers, and what counts the connections. */
export interface SecureParts {
  readonly handlers: Handlers;
  readonly connections: Connections;
}

type ProtocolHandlers = Pick<Handlers, "onRequest" | "onUpgrade">;
type Limits = TimeLimits & Pick<Config, "logLevel">;

/** @throws Error if the certificate or its key cannot be used. */
export function secureServer(
  options: TlsOptions,
  config: Limits,
  { handlers, connections }: SecureParts,
): SecureServer {
  const { logLevel } = config;
  const certificate = readCertificate(options);
  const served = new Protocols(certificate, config, handlers);
  const refused = new Protocols(certificate, config, { onRequest: handlers.onRefused });
  const both = [served, refused];
  const plain = plainServer(config);
  const warning = openKeyWarning(options);
  if (warning !== undefined) logWarning(logLevel, warning);
  const endWatch = watchCertificate(options, {
    onChange: (changed) => {
      for (const each of both) each.server.setSecureContext({ ...changed, minVersion: "TLSv1.2" });
    },
    onRefused: (error) => logFault(logLevel, "The new certificate is not used, and the one before stays.", error),
  });
  const front = createNetServer({ noDelay: true, keepAlive: true }, (socket) => {
    connections.add(socket);
    sniff(socket, { secure: connections.isRefused(socket) ? refused.server : served.server, plain });
  });
  return {
    front,
    close: async (drainMs) => {
      endWatch();
      const closed = new Promise((resolve) => front.close(resolve));
      for (const each of both) each.endIdle();
      endSilent(connections.sockets);
      const idle = setInterval(() => served.http1.closeIdleConnections(), IDLE_CHECK_MS);
      const timer = setTimeout(() => {
        for (const socket of connections.sockets) socket.destroy();
      }, drainMs);
      await closed;
      clearInterval(idle);
      clearTimeout(timer);
      for (const each of [served.server, refused.server, plain]) each.close();
    },
  };
}

/** HTTP/2 and HTTP/1.1 over connections that something else has accepted. */
class Protocols {
  readonly server: Http2SecureServer;
  /** The part for HTTP/1.1, which the types of Node.js do not mention. */
  readonly http1: Http1Part;
  readonly #sessions: ReadonlySet<ServerHttp2Session>;

  constructor(certificate: Certificate, config: Limits, { onRequest, onUpgrade }: ProtocolHandlers) {
    this.server = createSecureServer(
      {
        ...HTTP2_OPTIONS,
        ...serverOptions(config),
        ...certificate,
        minVersion: "TLSv1.2",
        allowHTTP1: true,
        handshakeTimeout: HANDSHAKE_MS_MAX,
        ...({ shouldUpgradeCallback: (message) => onUpgrade !== undefined && asksForSocket(message) } as Http1Options),
      },
      // The types of Node.js lack `flushHeaders`, which HTTP/2 has too.
      (message, response) => onRequest(message, response as unknown as NodeResponse),
    );
    if (onUpgrade !== undefined) this.server.on("upgrade", onUpgrade);
    this.http1 = this.server as unknown as Http1Part;
    limitTimes(this.http1, config);
    watchTimes(this.server);
    refuseTunnels(this.server);
    answerClientErrors(this.server);
    this.#sessions = trackSessions(this.server);
  }

  endIdle(): void {
    // Sends GOAWAY: streams that are open end as they would.
    for (const session of this.#sessions) session.close();
    this.http1.closeIdleConnections();
  }
}

/** Sessions in which nothing happens any more are closed, as idle connections of HTTP/1.1 are. */
function trackSessions(secure: Http2SecureServer): ReadonlySet<ServerHttp2Session> {
  const sessions = new Set<ServerHttp2Session>();
  secure.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    // Whoever breaks the protocol only ends its own session.
    session.on("error", () => undefined);
    session.setTimeout(KEEP_ALIVE_MS, () => session.close());
  });
  // A client that does not trust the certificate, or speaks no TLS: nothing that the server could mend.
  secure.on("tlsClientError", (_, socket) => socket.destroy());
  secure.on("sessionError", () => undefined);
  return sessions;
}

/** Decides by its first byte what a connection speaks. */
function sniff(socket: Socket, { secure, plain }: { readonly secure: Http2SecureServer; readonly plain: HttpServer }) {
  const ignore = (): void => undefined;
  socket.on("error", ignore);
  const giveUp = (): void => void socket.destroy();
  socket.setTimeout(HANDSHAKE_MS_MAX, giveUp);
  socket.once("data", (chunk: Buffer) => {
    socket.setTimeout(0);
    socket.off("timeout", giveUp);
    socket.pause();
    socket.unshift(chunk);
    (chunk[0] === HANDSHAKE ? secure : plain).emit("connection", socket);
    process.nextTick(() => socket.resume());
  });
}

/** Answers plain HTTP. */
function plainServer(config: Limits): HttpServer {
  const server = createHttpServer(serverOptions(config), ({ headers, url = "/" }, response) => {
    const { host = "" } = headers;
    const isKnown = isHost(host) && url.startsWith("/");
    const text = `This port speaks HTTPS.${isKnown ? ` Use https://${host}${url}` : ""}\n`;
    response
      .writeHead(isKnown ? 308 : 400, {
        "Content-Type": "text/plain",
        Connection: "close",
        ...(isKnown ? { Location: `https://${host}${url}` } : {}),
      })
      .end(text);
  });
  limitTimes(server, config);
  watchTimes(server);
  refuseTunnels(server);
  return server;
}
