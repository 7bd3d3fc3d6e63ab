/**
 * The connections of a server, as many as the process may open files for. One beyond that gets 503 and is closed, as long as
 * there are files for such connections as well; beyond those, too, it is cut off at once.
 */

import type { Socket } from "node:net";

import type { Answer } from "@durable-streams-cloudflare/http/answers/answer";
import { refusedAnswer } from "@durable-streams-cloudflare/http/answers/problem";
import type { HttpRequest } from "@durable-streams-cloudflare/http/ports";
import { refuse } from "@durable-streams-cloudflare/protocol";

/** Files that are not connections: databases with their logs, the threads, and the program itself. */
const OWN_FILES_MIN = 64;
/** Which part of the other files is for what. The rest is for segments that are read or written, and for outbound requests. */
const PART = { served: 0.75, refused: 0.125 };
/** How long a connection beyond the limit has for its request. */
const REFUSED_MS_MAX = 5_000;

/** How many connections a server has at most. */
export interface ConnectionsMax {
  readonly served: number;
  readonly refused: number;
}

/**
 * @param filesMax files that the process may open; `undefined`: as many as it likes.
 * @param openNow files that it has open before the first connection.
 */
export function connectionsMax(filesMax: number | undefined, openNow = 0): ConnectionsMax {
  const free = Math.max(0, (filesMax ?? Infinity) - Math.max(OWN_FILES_MIN, openNow));
  return { served: Math.max(1, Math.floor(free * PART.served)), refused: Math.max(1, Math.floor(free * PART.refused)) };
}

/** All connections that are open. */
export class Connections {
  readonly sockets = new Set<Socket>();
  readonly #max: ConnectionsMax;
  readonly #refused = new Set<Socket>();

  constructor(max: ConnectionsMax) {
    this.#max = max;
  }

  /** Whether the requests of a connection get `refuseConnection`. */
  isRefused(socket: Socket): boolean {
    return this.#refused.has(socket);
  }

  /** Registers a new connection, which is destroyed if there are too many even to be refused. */
  add(socket: Socket): void {
    this.sockets.add(socket);
    socket.once("close", () => this.#remove(socket));
    if (this.sockets.size - this.#refused.size <= this.#max.served) return;
    if (this.#refused.size >= this.#max.refused) return void socket.destroy();
    this.#refused.add(socket);
    const timer = setTimeout(() => socket.destroy(), REFUSED_MS_MAX).unref();
    socket.once("close", () => clearTimeout(timer));
  }

  #remove(socket: Socket): void {
    this.sockets.delete(socket);
    this.#refused.delete(socket);
  }
}

/** The answer to each request of a connection beyond the limit. */
export function refuseConnection(request: HttpRequest): Promise<Answer> {
  const detail = "The server has as many connections as it may have open files for.";
  const hint = "Try again later. On the server, raise the limit of open files: ulimit -n, LimitNOFILE= (systemd).";
  return refusedAnswer(request, refuse("unavailable", detail, { hint, headers: { "Retry-After": "5" } }));
}
