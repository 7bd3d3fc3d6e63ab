/** The server without a port: a handler that an application mounts below any of its paths. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";

import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import type { Answer } from "@durable-streams-cloudflare/http/answers/answer";
import { refusedAnswer } from "@durable-streams-cloudflare/http/answers/problem";
import { formatPrometheus } from "@durable-streams-cloudflare/http/metrics/prometheus";
import type { HttpRequest } from "@durable-streams-cloudflare/http/ports";
import { refuse } from "@durable-streams-cloudflare/protocol";

import { openEngine, type Engine, type EngineOptions } from "./compose/engine.ts";
import { FetchRequest } from "./embed/fetch-request.ts";
import { respond } from "./embed/fetch-response.ts";
import { InFlight } from "./embed/in-flight.ts";
import { mountOf, parseBasePath } from "./embed/mount.ts";
import { connectionsMax } from "./http/connections.ts";
import type { Arrival } from "./http/incoming-request.ts";
import { openFiles, openFilesMax } from "./http/open-files.ts";
import { serve } from "./http/serve.ts";
import { Upgrades } from "./http/upgrades.ts";
import { StorageError } from "./storage/storage-error.ts";

/** What a handler is made from. */
export interface HandlerOptions extends EngineOptions {
  /**
   * The path that the application mounts the handler below, such as `/api/streams`. The URLs that the server gives out contain
   * it. Express reports the path itself, if the handler is mounted with `app.use(path, handler.node)`.
   */
  readonly basePath?: string;
  /**
   * How many requests the handler serves at a time, live reads included; those beyond are answered with 503. By default as many
   * as the process may open files for, as each request has a connection.
   */
  readonly requestsMax?: number;
  /** Called when the server cannot continue. Every request is answered with 503 from then on; the process goes on. */
  readonly onFatal?: (error: unknown) => void;
}

/** A server without a port. Call it with a Web `Request`, or pass the requests of Node.js to `node`. */
export interface Handler {
  /** Answers a Web request, for Hono and other frameworks with Web standards. */
  (request: Request): Promise<Response>;
  /** Answers a request of Node.js, for `node:http`, Express, Fastify and Connect. */
  readonly node: (request: IncomingMessage, response: ServerResponse) => void;
  /**
   * Answers a request of Node.js that asks for a WebSocket, which only routes of modules have:
   * `server.on("upgrade", handler.upgrade)`. Call it for the requests below the path of the handler.
   */
  readonly upgrade: (message: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** What the server itself measures, in the text format of Prometheus. */
  metrics(): string;
  /**
   * Ends live reads between two events, lets requests in flight finish, makes everything durable, and releases the data
   * directory. Requests that come later are answered with 503.
   * @param drainMs how long requests in flight may continue; after that they are aborted. Default: 10 seconds.
   */
  close(drainMs?: number): Promise<void>;
}

/** A handler that opens its data directory after it was created. */
export interface HandlerWithReady extends Handler {
  /** Resolves when the server is open, and rejects if it cannot be opened. Until then requests wait. */
  readonly ready: Promise<void>;
}

const DRAIN_MS_DEFAULT = 10_000;

/**
 * Opens the data directory and returns a handler.
 * @throws ConfigError when a setting is out of its bounds.
 * @throws StorageError with a bucket for cold segments, which takes time to check: use `createHandlerWithReady`.
 * @throws Error when the data directory cannot be used, or another server uses it.
 */
export function createHandler(options: HandlerOptions): Handler {
  const basePath = parseBasePath(options.basePath ?? "");
  const requestsMax = parseRequestsMax(options.requestsMax);
  if (options.storage.s3 !== undefined) {
    throw new StorageError("createHandler cannot wait until the bucket of cold segments is checked.", {
      fix: "use createHandlerWithReady, and await its ready",
    });
  }
  const engine = open(options);
  engine.start();
  const state: Opened = { engine };
  return handlerOf({ basePath, requestsMax }, () => state);
}

/**
 * Returns a handler at once and opens the data directory afterwards. It does not throw: if the server cannot be opened, `ready`
 * rejects, and every request is answered with 503.
 */
export function createHandlerWithReady(options: HandlerOptions): HandlerWithReady {
  let state: Opened | undefined;
  const ready = Promise.resolve().then(async () => {
    try {
      parseBasePath(options.basePath ?? "");
      parseRequestsMax(options.requestsMax);
      state = { engine: await openPrepared(options) };
    } catch (error) {
      state = { engine: undefined };
      throw error;
    }
  });
  // The process must not end because nobody looks at `ready`.
  const settled = ready.catch((error: unknown) => logFault("error", "The server cannot be opened.", error));
  const handler = handlerOf(
    { basePath: (options.basePath ?? "").replace(/\/+$/, ""), requestsMax: options.requestsMax ?? requestsMaxNow() },
    () => state ?? settled.then(() => state ?? {}),
  );
  return Object.assign(handler, { ready });
}

/** What became of opening the server; without an engine it failed. */
interface Opened {
  readonly engine?: Engine | undefined;
}

function open(options: HandlerOptions): Engine {
  return openEngine(options, {
    onFatal: (error, { logLevel }) => {
      logFault(logLevel, "The server answers no more requests, because the disk failed.", error);
      options.onFatal?.(error);
    },
  });
}

async function openPrepared(options: HandlerOptions): Promise<Engine> {
  const engine = open(options);
  try {
    await engine.prepare();
  } catch (error) {
    // The data directory must be free for the next attempt.
    await engine.close();
    throw error;
  }
  engine.start();
  return engine;
}

/** As many as a listener would serve connections. */
function requestsMaxNow(): number {
  return connectionsMax(openFilesMax(), openFiles()).served;
}

function parseRequestsMax(requestsMax: number = requestsMaxNow()): number {
  if (requestsMax === Infinity || (Number.isSafeInteger(requestsMax) && requestsMax > 0)) return requestsMax;
  throw new Error(`requestsMax must be a whole number above 0, but it is ${requestsMax}.`);
}

interface Mounting {
  readonly basePath: string;
  readonly requestsMax: number;
}

function handlerOf({ basePath, requestsMax }: Mounting, opened: () => Opened | Promise<Opened>): Handler {
  const inFlight = new InFlight(requestsMax);
  let closing: Promise<void> | undefined;
  let upgrades: Upgrades | undefined;
  const engineNow = (): Engine | undefined => {
    const now = opened();
    return now instanceof Promise ? undefined : now.engine;
  };
  const answer = async (request: HttpRequest): Promise<Answer> => {
    const engine = engineNow() ?? (await opened()).engine;
    if (closing !== undefined) return refuseUnavailable(request, "The server is closing.");
    return engine === undefined
      ? refuseUnavailable(request, "The server could not be opened.")
      : engine.answer(request);
  };
  const close = async (drainMs: number): Promise<void> => {
    const { engine } = await opened();
    engine?.endLiveReads();
    await Promise.all([engine?.closeSockets(drainMs), inFlight.drain(drainMs)]);
    await engine?.close();
  };
  const handler = (request: Request): Promise<Response> => {
    const answerOne = inFlight.isFull ? refuseFull : answer;
    return respond(inFlight, () => answerOne(new FetchRequest(request, basePath)));
  };
  return Object.assign(handler, {
    node: (message: IncomingMessage, response: ServerResponse): void => {
      const answerOne = inFlight.isFull ? refuseFull : answer;
      const end = inFlight.begin(() => response.destroy());
      const arrival = arrivalOf(message, basePath);
      serve({ message, response, arrival }, engineNow()?.config.logLevel ?? "error", answerOne, end);
    },
    upgrade: (message: IncomingMessage, socket: Duplex, head: Buffer): void => {
      const isFull = inFlight.isFull;
      // A socket counts as long as it is open.
      socket.once(
        "close",
        inFlight.begin(() => socket.destroy()),
      );
      upgrades ??= new Upgrades(engineNow()?.config.logLevel ?? "error");
      // The types of Node.js leave open what it is, but it is always the connection.
      const event = { message, socket: socket as Socket, head, arrival: arrivalOf(message, basePath) };
      void upgrades.serve(event, isFull ? refuseFull : answer);
    },
    metrics: () => formatPrometheus(engineNow()?.metrics() ?? []),
    close: (drainMs = DRAIN_MS_DEFAULT) => (closing ??= close(drainMs)),
  });
}

function arrivalOf(message: IncomingMessage, basePath: string): Arrival {
  const scheme = message.socket instanceof TLSSocket ? "https" : "http";
  return { scheme, ...mountOf(message, basePath) };
}

function refuseUnavailable(request: HttpRequest, detail: string): Promise<Answer> {
  return refusedAnswer(request, refuse("unavailable", detail, { headers: { "Retry-After": "5" } }));
}

function refuseFull(request: HttpRequest): Promise<Answer> {
  return refuseUnavailable(request, "The server has as many requests in flight as it may have.");
}
