/** A client's end of a socket. */

import { text } from "node:stream/consumers";

import type { ClientSocket, Upgraded } from "@durable-streams-cloudflare/http/test/modules/module-suite";
import { Received } from "@durable-streams-cloudflare/http/test/modules/socket-suite";
import { WebSocket, type ClientOptions } from "ws";

const PROTOCOL_HEADER = "Sec-WebSocket-Protocol";

/** Asks for a socket, and returns what the server answers. @param url of HTTP or HTTPS. */
export function openSocket(
  url: string,
  { [PROTOCOL_HEADER]: offered = "", ...headers }: Readonly<Record<string, string>> = {},
  options: ClientOptions = {},
): Promise<Upgraded> {
  const protocols = offered.split(",").flatMap((name) => name.trim() || []);
  const socket = new WebSocket(url.replace(/^http/, "ws"), protocols, { ...options, headers });
  return new Promise((resolve, reject) => {
    const own = clientSocket(socket);
    socket.on("error", reject);
    socket.once("open", () => resolve({ status: 101, socket: own }));
    socket.once("unexpected-response", (_, response) => {
      text(response)
        .then((body) => resolve({ status: response.statusCode ?? 0, code: codeOf(body) }))
        .catch(reject);
    });
  });
}

function clientSocket(socket: WebSocket): ClientSocket {
  const received = new Received();
  const closed = Promise.withResolvers<{ readonly code: number; readonly reason: string }>();
  socket.on("message", (data: Buffer) => received.push(data.toString()));
  socket.on("close", (code, reason) => {
    received.end();
    closed.resolve({ code, reason: reason.toString() });
  });
  return {
    get protocol() {
      return socket.protocol;
    },
    send: (message) => socket.send(message),
    close: () => socket.close(1000),
    next: () => received.next(),
    closed: closed.promise,
  };
}

function codeOf(body: string): string {
  return (JSON.parse(body) as { readonly code: string }).code;
}
