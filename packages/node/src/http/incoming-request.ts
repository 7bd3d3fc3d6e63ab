/**
 * Adapts a Node.js request to `HttpRequest`, the form that the edge expects. A real `Request` costs more than storing an
 * append, so each part is created only when it is first used.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";

import type { DisconnectSignal, HttpRequest } from "@durable-streams-cloudflare/http/ports";

import { hostOf, isHost } from "./host.ts";

/** A Node.js request as `HttpRequest`. The body can be read once: whole with `bytes`, or in chunks with `body`. */
/** A request of Node.js, by HTTP/1.1 or HTTP/2. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;
/** The response to it. What both kinds have is typed as that of HTTP/1.1. */
export type NodeResponse = Pick<
  ServerResponse,
  | "destroy"
  | "end"
  | "flushHeaders"
  | "off"
  | "on"
  | "once"
  | "writableFinished"
  | "writableLength"
  | "write"
  | "writeHead"
> &
  (Pick<ServerResponse, "destroyed"> | Pick<Http2ServerResponse, "stream">);

/** How a request came to the server. */
export interface Arrival {
  readonly scheme: "http" | "https";
  /** Below which the server is mounted: `HttpRequest.mountPath`. */
  readonly mountPath?: string;
  /** The request's target without that path. By default the target of the message. */
  readonly target?: string;
}

/** A request of Node.js in the form that the edge takes. */
export class IncomingRequest implements HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: HttpRequest["headers"];
  readonly mountPath?: string;
  readonly isHostClaimed = true;
  /** Otherwise the request must be refused: `url` has no host of the client's. */
  readonly hasValidHost: boolean;
  readonly #message: NodeRequest;
  readonly #response: NodeResponse;
  #body: ReadableStream<Uint8Array> | null | undefined;
  /** Something in front of the server may have read it. */
  #isRead: boolean;
  #signal: ResponseSignal | undefined;

  constructor(
    message: NodeRequest,
    response: NodeResponse,
    { scheme, mountPath, target = message.url ?? "/" }: Arrival,
  ) {
    this.#message = message;
    this.#response = response;
    this.#isRead = message.readableDidRead && hasBody(message);
    this.method = message.method ?? "GET";
    const host = hostOf(message);
    this.hasValidHost = isHost(host);
    this.url = `${scheme}://${this.hasValidHost ? host : "invalid"}${pathOf(target)}`;
    if (mountPath !== undefined) this.mountPath = mountPath;
    this.headers = { get: (name) => headerOf(message, lowerCaseOf(name)) };
  }

  /** Node.js has given such requests to something else, or ignores what they ask for. */
  get cannotUpgrade(): boolean {
    return true;
  }

  get body(): ReadableStream<Uint8Array> | null {
    if (this.#body !== undefined) return this.#body;
    if (!hasBody(this.#message)) return (this.#body = null);
    return (this.#body = this.#streamed());
  }

  get bodyUsed(): boolean {
    return this.#isRead;
  }

  /**
   * Reads the whole body.
   * @throws Error if the connection ends before the whole body has arrived.
   */
  bytes(): Promise<Uint8Array> {
    this.#isRead = true;
    const message = this.#message;
    // A message without a body may have ended before it came here.
    if (!hasBody(message)) return Promise.resolve(new Uint8Array());
    // The client may have left while the request waited for something else: no event says so any more.
    if (isCutOff(message)) return Promise.reject(cutOff());
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      message.on("data", (chunk: Buffer) => chunks.push(chunk));
      message.on("end", () => (isCutOff(message) ? reject(cutOff()) : resolve(ownBytes(chunks))));
      message.on("error", reject);
      message.on("close", () => {
        // Each request closes, and to make an error takes as long as to store an append.
        if (!message.readableEnded) reject(cutOff());
      });
    });
  }

  /** Reads nothing before the stream is pulled, so that `bytes` still gets the whole body. */
  #streamed(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          this.#isRead = true;
          const chunk = await nextChunk(this.#message);
          if (chunk === undefined) controller.close();
          else controller.enqueue(chunk);
        },
        // What still comes is dropped, so that the answer can be sent.
        cancel: () => void this.#message.resume(),
      },
      { highWaterMark: 0 },
    );
  }

  get signal(): DisconnectSignal {
    return (this.#signal ??= new ResponseSignal(this.#response));
  }
}

/** Tells when a client disconnects before its response has ended. An `AbortController` takes several times the memory. */
class ResponseSignal implements DisconnectSignal {
  #listeners: (() => void)[] = [];

  constructor(response: NodeResponse) {
    response.once("close", () => {
      if (response.writableFinished) return;
      for (const listener of this.#listeners) listener();
    });
  }

  addEventListener(_type: "abort", listener: () => void): void {
    if (!this.#listeners.includes(listener)) this.#listeners.push(listener);
  }

  /** Makes a new list, because listeners remove themselves while the old one is walked. */
  removeEventListener(_type: "abort", listener: () => void): void {
    this.#listeners = this.#listeners.filter((each) => each !== listener);
  }
}

/**
 * Returns the next chunk of a body, or `undefined` at its end. `Readable.toWeb` is not used: if data arrives after the body was
 * cancelled, it throws where nothing can catch the error.
 * @throws Error if the connection ends before the whole body has arrived.
 */
function nextChunk(message: NodeRequest): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    if (isCutOff(message)) return reject(cutOff());
    if (message.readableEnded) return resolve(undefined);
    const settle = (act: () => void): void => {
      for (const [event, listener] of Object.entries(listeners)) message.off(event, listener);
      act();
    };
    const listeners = {
      readable: () => {
        const chunk = message.read() as Buffer | null;
        if (chunk !== null) settle(() => resolve(chunk));
      },
      end: () => settle(() => (isCutOff(message) ? reject(cutOff()) : resolve(undefined))),
      error: (error: unknown) => settle(() => reject(error)),
      close: () => settle(() => reject(cutOff())),
    };
    for (const [event, listener] of Object.entries(listeners)) message.on(event, listener);
    listeners.readable();
  });
}

/** Over HTTP/2, a request that was reset is aborted and not destroyed, and no event follows. */
function isCutOff(message: NodeRequest): boolean {
  return "stream" in message ? message.aborted : message.destroyed && !message.readableEnded;
}

function cutOff(): Error {
  return new Error("The connection ended before the whole body had arrived.");
}

/** Returns the path and query of a request target, which may also be an absolute URL [RFC 9112 §3.2.2]. */
export function pathOf(target: string): string {
  if (target.startsWith("/")) return target;
  const match = /^https?:\/\/[^/?#]*(.*)$/i.exec(target);
  const rest = match?.[1] ?? "";
  return rest.startsWith("/") ? rest : `/${rest}`;
}

/** Whether nothing can be written to a response any more. */
export function isGone(response: NodeResponse): boolean {
  return "stream" in response ? response.stream.destroyed : response.destroyed;
}

/** Whether a body belongs to the message. */
function hasBody(message: NodeRequest): boolean {
  // By HTTP/2 the end of the request comes with its headers if there is no body.
  if ("stream" in message) return message.stream?.endAfterHeaders === false;
  const { headers } = message;
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? "0") > 0;
}

/** The names that the server asks for, each in two spellings: they are a few, and constant. */
const LOWER_CASE = new Map<string, string>();
const NAMES_MAX = 1_000;

function lowerCaseOf(name: string): string {
  const known = LOWER_CASE.get(name);
  if (known !== undefined) return known;
  const lowerCase = name.toLowerCase();
  if (LOWER_CASE.size < NAMES_MAX) LOWER_CASE.set(name, lowerCase);
  return lowerCase;
}

function headerOf({ headers }: NodeRequest, name: string): string | null {
  const value = headers[name];
  if (value === undefined) return null;
  return typeof value === "string" ? value : value.join(", ");
}

/** Copies chunks into a buffer of their own: small Node.js buffers are views of a shared pool. */
function ownBytes(chunks: readonly Buffer[]): Uint8Array {
  const size = chunks.reduce((sum, { length }) => sum + length, 0);
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
