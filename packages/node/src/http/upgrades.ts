/** Turns requests that ask for a WebSocket into sockets of objects. The library for it is loaded for the first such request. */

import { ServerResponse, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";

import type { Config } from "@durable-streams-cloudflare/core/config";
import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import type { Answer } from "@durable-streams-cloudflare/http/answers/answer";
import { refusedAnswer } from "@durable-streams-cloudflare/http/answers/problem";
import type { SocketMessage } from "@durable-streams-cloudflare/http/modules/socket";
import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";
import type { WebSocket, WebSocketServer } from "ws";

import { ObjectSocket } from "../objects/sockets/object-socket.ts";
import { IncomingRequest, type Arrival } from "./incoming-request.ts";
import { refuseHost, type AnswerRequest } from "./serve.ts";
import { writeAnswer } from "./write-answer.ts";

/** Messages of one socket that are being taken at the same time. No more are read meanwhile. */
const TAKEN_MAX = 64;
/** A client that does not answer a ping until the next one has gone, whether or not it has said so. */
const PING_MS = 30_000;
const VERSION = "13";
const KEY = /^[+/\w]{22}==$/;

/** A request that asks for another protocol, as Node.js hands it over. */
export interface UpgradeEvent {
  readonly message: IncomingMessage;
  readonly socket: Socket;
  /** What the client has sent behind the request. */
  readonly head: Buffer;
  readonly arrival: Arrival;
}

/** Whether a request asks for a WebSocket. Any other protocol is ignored, and the request answered as it is. */
export function asksForSocket({ method, headers }: IncomingMessage): boolean {
  return method === "GET" && headers.upgrade?.toLowerCase() === "websocket";
}

/** The sockets of one server. */
export class Upgrades {
  readonly #logLevel: Config["logLevel"];
  /** One for each limit on the size of messages. */
  readonly #servers = new Map<number, WebSocketServer>();
  readonly #protocols = new WeakMap<IncomingMessage, string>();
  /** The open sockets, and whether each has answered since the last ping. */
  readonly #open = new Map<WebSocket, { hasAnswered: boolean }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(logLevel: Config["logLevel"]) {
    this.#logLevel = logLevel;
  }

  /** Answers a request, and hands its connection to an object if the answer says so. Never rejects. */
  async serve(event: UpgradeEvent, answerRequest: AnswerRequest): Promise<void> {
    const { message, socket, arrival } = event;
    // Node.js has let go of the connection: an error that nobody hears would end the process.
    socket.on("error", () => socket.destroy());
    const response = new ServerResponse(message);
    response.assignSocket(socket);
    response.shouldKeepAlive = false;
    try {
      const request = new UpgradeRequest(message, response, arrival);
      const answer = await answerOf(request, message, answerRequest);
      if (answer.upgrade === undefined) {
        response.once("finish", () => socket.destroySoon());
        await writeAnswer(response, answer, false);
        return;
      }
      response.detachSocket(socket);
      const { end, protocol } = answer.upgrade;
      if (!(end instanceof ObjectSocket)) throw new Error("The answer has no socket of this host.");
      if (protocol !== undefined) this.#protocols.set(message, protocol);
      await this.#handOver(event, end);
    } catch (error) {
      logFault(this.#logLevel, "A WebSocket could not be opened.", error);
      socket.destroy();
    }
  }

  async #handOver({ message, socket, head }: UpgradeEvent, end: ObjectSocket): Promise<void> {
    const onGone = (): void => end.ended();
    socket.once("close", onGone);
    try {
      const server = await this.#serverFor(end.messageBytesMax);
      if (socket.destroyed) return end.ended();
      server.handleUpgrade(message, socket, head, (carrier) => {
        socket.off("close", onGone);
        this.#carry(end, carrier);
      });
    } catch (error) {
      end.ended();
      throw error;
    }
  }

  async #serverFor(maxPayload: number): Promise<WebSocketServer> {
    const known = this.#servers.get(maxPayload);
    if (known !== undefined) return known;
    const { WebSocketServer: Server } = await import("ws");
    const server = new Server({
      noServer: true,
      clientTracking: false,
      // Compressing for each client costs memory and time; what is sent to many is mostly small.
      perMessageDeflate: false,
      maxPayload,
      handleProtocols: (_, message) => this.#protocols.get(message) ?? false,
    });
    this.#servers.set(maxPayload, server);
    return server;
  }

  #carry(end: ObjectSocket, socket: WebSocket): void {
    socket.binaryType = "arraybuffer";
    const inbox = new Inbox(socket, end);
    const state = { hasAnswered: true };
    this.#open.set(socket, state);
    this.#timer ??= setInterval(() => this.#ping(), PING_MS).unref();
    socket.on("pong", () => (state.hasAnswered = true));
    socket.on("message", (data, isBinary) => {
      state.hasAnswered = true;
      inbox.add(isBinary ? (data as ArrayBuffer) : (data as Buffer).toString("utf8"));
    });
    // Such as a message that is too large: the library closes the connection, and says so.
    socket.on("error", () => undefined);
    socket.on("close", (code, reason) => {
      this.#open.delete(socket);
      if (this.#open.size === 0) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
      inbox.close(code, reason.toString());
    });
    end.carry({
      send: (message) => socket.send(message),
      close: (code, reason) => socket.close(code, reason),
      destroy: () => socket.terminate(),
      get bufferedBytes() {
        return socket.bufferedAmount;
      },
    });
  }

  #ping(): void {
    for (const [socket, state] of this.#open) {
      if (!state.hasAnswered) socket.terminate();
      else if (!socket.isPaused) {
        state.hasAnswered = false;
        socket.ping();
      }
    }
  }
}

/** A request whose connection can become a socket. */
class UpgradeRequest extends IncomingRequest {
  override get cannotUpgrade(): boolean {
    return false;
  }
}

function answerOf(request: IncomingRequest, message: IncomingMessage, answerRequest: AnswerRequest): Promise<Answer> {
  if (!request.hasValidHost) return refusedAnswer(request, refuseHost());
  return asksForSocket(message) && !isHandshake(message)
    ? refusedAnswer(request, refuseHandshake())
    : answerRequest(request);
}

/** What a client has sent, until the object takes it: a limited number of messages at a time, in their order. */
class Inbox {
  readonly #socket: WebSocket;
  readonly #end: ObjectSocket;
  /** At most what comes with one read from the connection, which is paused meanwhile. */
  readonly #waiting: SocketMessage[] = [];
  #taken = 0;
  #closedWith: readonly [code: number, reason: string] | undefined;

  constructor(socket: WebSocket, end: ObjectSocket) {
    this.#socket = socket;
    this.#end = end;
  }

  add(message: SocketMessage): void {
    this.#waiting.push(message);
    this.#take();
    if (this.#waiting.length > 0) this.#socket.pause();
  }

  /** The object takes what came before. */
  close(code: number, reason: string): void {
    this.#closedWith = [code, reason];
    this.#take();
  }

  #take(): void {
    while (this.#taken < TAKEN_MAX && this.#waiting.length > 0) {
      this.#taken += 1;
      void this.#end.received(this.#waiting.shift() ?? "").then(() => {
        this.#taken -= 1;
        this.#take();
      });
    }
    if (this.#waiting.length > 0) return;
    if (this.#closedWith !== undefined) this.#end.ended(...this.#closedWith);
    else if (this.#socket.isPaused && this.#taken < TAKEN_MAX / 2) this.#socket.resume();
  }
}

/** What the library refuses is refused before an object is asked. */
function isHandshake({ headers }: IncomingMessage): boolean {
  return KEY.test(headers["sec-websocket-key"] ?? "") && headers["sec-websocket-version"] === VERSION;
}

function refuseHandshake(): Refusal {
  return refuse("upgrade-required", "The WebSocket handshake is malformed, or of another version.", {
    headers: { "Sec-WebSocket-Version": VERSION, Upgrade: "websocket" },
  });
}
