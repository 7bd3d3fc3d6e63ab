/** The limits of connections, so that slow or broken clients hold nothing for long. */

import type { EventEmitter } from "node:events";
import type { Server } from "node:http";
import type { Http2ServerResponse, SecureServerOptions } from "node:http2";
import type { Socket } from "node:net";
import { totalmem } from "node:os";
import type { Duplex } from "node:stream";

import type { Config } from "@durable-streams-cloudflare/core/config";

/** Above the 60 seconds after which most proxies close an idle connection: the proxy closes first, and loses no request. */
export const KEEP_ALIVE_MS = 65_000;
/** The head of a request fits into a few packets: whoever takes longer is broken, or wants to hold a connection. */
const HEADERS_MS_MAX = 15_000;
/** Of a request, beyond its head and the time that the server gives its body. */
const REQUEST_MARGIN_MS = 30_000;
/** How often Node.js looks for connections that are over these limits. */
const CHECK_MS = 5_000;
/** Names and values of a request's head together. Node.js answers larger ones with 431. */
const HEADER_BYTES_MAX = 16 * 1024;
/** Live reads of one page, with some room. More wait at the client. */
const STREAMS_MAX = 1_000;

/** Ends connections that have never sent anything: Node.js counts the spare ones of a browser as busy. */
export function endSilent(sockets: Iterable<Socket>): void {
  for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
}

type Timed = Pick<Server, "headersTimeout" | "keepAliveTimeout" | "requestTimeout">;

/** What a server does about connections that take their time. */
export interface TimeLimits extends Pick<Config, "bodyTimeoutSeconds"> {
  /** How long the head of a request may take to arrive. */
  readonly headersMsMax?: number | undefined;
}

/** The options of a server of either kind. */
export function serverOptions({ headersMsMax = HEADERS_MS_MAX }: TimeLimits) {
  const connectionsCheckingInterval = Math.min(CHECK_MS, headersMsMax);
  return { connectionsCheckingInterval, maxHeaderSize: HEADER_BYTES_MAX, noDelay: true };
}

/** What may wait for one stream of HTTP/2 whose client does not read: a few messages, or a part of a page. */
const WAITING_BYTES = 256 * 1024;
const MIB = 1024 * 1024;
/** With less, a page with hundreds of live reads is refused new requests as soon as it stalls for a moment. */
const SESSION_MIB_MIN = 64;

/**
 * How much may wait for one session of HTTP/2, in MiB: enough for all of its streams, but no more than an eighth of the memory.
 * A session that has more gets no new streams until its client reads.
 * @param memoryBytes what the process may use.
 */
export function sessionMemoryMax(memoryBytes: number): number {
  const needed = (STREAMS_MAX * WAITING_BYTES) / MIB;
  return Math.max(SESSION_MIB_MIN, Math.min(needed, Math.floor(memoryBytes / 8 / MIB)));
}

/** Of the machine, or of the container; a process without a limit of its own reports none, or one beyond all memory. */
function memoryOfProcess(): number {
  return Math.min(totalmem(), process.constrainedMemory() || Infinity);
}

/** The options of HTTP/2. */
export const HTTP2_OPTIONS: SecureServerOptions = {
  settings: { maxConcurrentStreams: STREAMS_MAX, maxHeaderListSize: HEADER_BYTES_MAX },
  maxSessionMemory: sessionMemoryMax(memoryOfProcess()),
  // A client that resets streams as fast as it opens them is disconnected.
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 100,
};

/** Sets how long a connection may take for what. The body has a limit of its own: `BODY_TIMEOUT_SECONDS`. */
export function limitTimes(server: Timed, limits: TimeLimits): void {
  const { bodyTimeoutSeconds, headersMsMax = HEADERS_MS_MAX } = limits;
  server.headersTimeout = headersMsMax;
  server.requestTimeout = headersMsMax + bodyTimeoutSeconds * 1_000 + REQUEST_MARGIN_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
}

/** Lets a server that does not listen itself end connections that are over their times. Node.js starts that on `listening`. */
export function watchTimes(server: EventEmitter): void {
  server.emit("listening");
}

/**
 * This server is not a proxy: `CONNECT` is answered with 501, and the connection ends. Node.js has let go of the connection by
 * then: nothing else reads it, and an error that nobody hears, such as a reset by the client, would end the process.
 */
export function refuseTunnels(server: EventEmitter): void {
  server.on("connect", (_: unknown, client: Duplex | Http2ServerResponse) => {
    if ("stream" in client) return void client.writeHead(501).end();
    client.on("error", () => client.destroy());
    client.resume();
    client.end("HTTP/1.1 501 Not Implemented\r\nConnection: close\r\n\r\n", () => client.destroy());
  });
}

const STATUSES: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};

/** Answers what is no request before the connection ends. With TLS, Node.js ends it before its own answer has gone out. */
export function answerClientErrors(server: EventEmitter): void {
  server.on(
    "clientError",
    ({ code = "" }: NodeJS.ErrnoException, socket: Duplex & { readonly _httpMessage?: unknown }) => {
      // It must not come into the middle of another answer.
      if (!socket.writable || (socket._httpMessage ?? undefined) !== undefined) return void socket.destroy();
      const status = STATUSES[code] ?? "400 Bad Request";
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`, () => socket.destroy());
    },
  );
}
