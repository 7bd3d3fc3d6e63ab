/** A kept-alive HTTP/1.1 connection with one request in flight at a time, which takes little work per request. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

import { ResponseParser, type HttpAnswer } from "./response-parser.ts";

interface Waiting {
  readonly resolve: (answer: HttpAnswer) => void;
  readonly reject: (error: Error) => void;
}

export class Connection {
  readonly #socket: Socket;
  #waiting: Waiting | undefined;

  static async open(url: string): Promise<Connection> {
    const parser = new ResponseParser();
    const socket = await openSocket(url, (bytes) => {
      const answer = parser.take(bytes);
      if (answer !== undefined) connection.#settle()?.resolve(answer);
    });
    const connection = new Connection(socket);
    return connection;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("error", (error) => this.#settle()?.reject(error));
    socket.on("close", () => this.#settle()?.reject(new Error("The server closed the connection.")));
  }

  /** @param request head and body as they are sent. */
  send(request: Buffer): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #settle(): Waiting | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }
}

/** What is received at once at most. */
const READ_BYTES = 128 * 1024;

/**
 * Opens a connected socket, with TLS for https.
 * @param take is given what is received, all of it in the same memory: new memory for each part would cost the load tool more
 *   than most servers need to send it. Without it, the socket emits `data`.
 */
export async function openSocket(url: string, take?: (bytes: Buffer) => void): Promise<Socket> {
  const { protocol, hostname, port } = new URL(url);
  const isSecure = protocol === "https:";
  const host = hostname.replaceAll(/[[\]]/g, "");
  const onread = take && {
    buffer: Buffer.allocUnsafe(READ_BYTES),
    callback: (count: number, buffer: Uint8Array) => {
      take(buffer.subarray(0, count) as Buffer);
      return true;
    },
  };
  const options = { host, port: Number(port) || (isSecure ? 443 : 80), noDelay: true, ...(onread && { onread }) };
  const socket = isSecure ? connectTls({ ...options, servername: host }) : connect(options);
  await once(socket, isSecure ? "secureConnect" : "connect");
  return socket.setNoDelay(true);
}

export interface RequestParts {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export function formatRequest({ url, method, headers, body }: RequestParts): Buffer {
  const { host, pathname, search } = new URL(url);
  const lines = Object.entries({ Host: host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = method === "GET" ? "" : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  return Buffer.from(`${method} ${pathname}${search} HTTP/1.1\r\n${lines.join("")}${length}\r\n${body}`);
}
