/** The sockets of a module's object: hibernating WebSockets, which the runtime keeps while the object is not in memory. */

import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import { openingOf } from "@durable-streams-cloudflare/http/modules/remote-objects";
import {
  attachmentText,
  byteLength,
  CLOSED_WITHOUT_WORD,
  MESSAGE_TOO_LARGE,
  OBJECT_FAILED,
  refuseMoreSockets,
  type Socket,
  type SocketEvents,
  type SocketLimits,
  type SocketMessage,
} from "@durable-streams-cloudflare/http/modules/socket";
import type { ObjectPeers } from "@durable-streams-cloudflare/http/objects/runtime";

/** The sockets of one object. */
export class ModuleSockets {
  readonly #context: DurableObjectState;
  readonly #limits: SocketLimits;
  readonly #logLevel: ObjectPeers["config"]["logLevel"];
  readonly #known = new WeakMap<WebSocket, RuntimeSocket>();

  constructor(context: DurableObjectState, limits: SocketLimits, { config }: Pick<ObjectPeers, "config">) {
    this.#context = context;
    this.#limits = limits;
    this.#logLevel = config.logLevel;
    const { heartbeat } = limits;
    if (heartbeat !== undefined) {
      const { request, response } = heartbeat;
      context.setWebSocketAutoResponse(new WebSocketRequestResponsePair(request, response));
    }
  }

  list(tag?: string): readonly Socket[] {
    return this.#context.getWebSockets(tag).map((socket) => this.#of(socket));
  }

  /** Answers a request for a socket: with 101 and the client's end of it, or with a refusal. */
  async open(request: Request, events: SocketEvents): Promise<Response> {
    const opening = openingOf(request.headers);
    const admitted = (await events.admit?.(opening)) ?? { ok: true };
    if (!admitted.ok) return Response.json(admitted);
    if (this.#context.getWebSockets().length >= this.#limits.max) return Response.json(refuseMoreSockets(this.#limits));
    const { 0: client, 1: server } = new WebSocketPair();
    this.#context.acceptWebSocket(server, [...opening.tags]);
    const socket = this.#of(server);
    socket.attach(opening.attachment);
    events.opened?.(socket);
    return new Response(null, { status: 101, webSocket: client });
  }

  async message(socket: WebSocket, message: SocketMessage, events: SocketEvents): Promise<void> {
    const own = this.#of(socket);
    if (byteLength(message) > this.#limits.messageBytesMax)
      return socket.close(MESSAGE_TOO_LARGE, "The message is too large.");
    try {
      await events.message(own, message);
    } catch (error) {
      logFault(this.#logLevel, "An object could not take a message from its socket.", error);
      socket.close(OBJECT_FAILED, "The server failed.");
    }
  }

  async closed(socket: WebSocket, code: number, reason: string, events: SocketEvents): Promise<void> {
    await events.closed?.(this.#of(socket), code, reason);
  }

  async failed(socket: WebSocket, events: SocketEvents): Promise<void> {
    await events.closed?.(this.#of(socket), CLOSED_WITHOUT_WORD, "");
  }

  #of(socket: WebSocket): RuntimeSocket {
    const known = this.#known.get(socket) ?? new RuntimeSocket(socket);
    this.#known.set(socket, known);
    return known;
  }
}

class RuntimeSocket implements Socket {
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** The runtime holds it back until what the object has written is durable. */
  send(message: string | Uint8Array<ArrayBuffer>): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(message);
  }

  close(code = 1000, reason = ""): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.close(code, reason);
  }

  get attachment(): unknown {
    return JSON.parse(String(this.#socket.deserializeAttachment())) as unknown;
  }

  attach(attachment: unknown): void {
    this.#socket.serializeAttachment(attachmentText(attachment));
  }
}
