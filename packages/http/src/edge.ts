/**
 * The edge, where every request enters and every response leaves: it routes, adds the headers common to all responses, and
 * logs.
 */

import { isOnlyForLoopback, type Config } from "@durable-streams-cloudflare/core/config";
import { isLogged, logRequest } from "@durable-streams-cloudflare/core/kit/log";
import { isUnsent, refuseUnsent } from "@durable-streams-cloudflare/core/kit/retry-rpc";
import { refuse } from "@durable-streams-cloudflare/protocol";

import type { Answer } from "./answers/answer.ts";
import { cancelBody } from "./answers/cancel-body.ts";
import { addCorsHeaders } from "./answers/cors.ts";
import { problemAnswer, refusedAnswer } from "./answers/problem.ts";
import { behindProxy } from "./auth/behind-proxy.ts";
import { onlyLoopback } from "./auth/only-loopback.ts";
import { corsOrigins } from "./auth/project-cors.ts";
import { refuseFailedWrite, refuseStoring, type StorageStatus } from "./limits/storage-status.ts";
import { rawPath } from "./paths/target.ts";
import type { HttpRequest, Background } from "./ports.ts";
import { notesOf, requestIdOf, traceOf } from "./requests/request-notes.ts";
import { dispatch, type Serve } from "./routing/dispatch.ts";
import type { Access, Destination, EdgePorts } from "./routing/edge-ports.ts";
import type { Route } from "./routing/route.ts";
import { pathIn, Routes, type Found } from "./routing/router.ts";
import { ROUTES } from "./routing/table.ts";

/** The edge of one server. */
export interface Edge {
  /**
   * Answers a request. An exception in a handler becomes a problem: 503 if the request is known to have had no effects,
   * otherwise 500. The host adds `COMMON_HEADERS`.
   */
  answer(request: HttpRequest, background: Background): Promise<Answer>;
}

/** The answer to a request. `error` is the exception that caused it, which is a fault of the server. */
interface Outcome {
  readonly answer: Answer;
  readonly error?: unknown;
}

/**
 * Creates the edge.
 * @param table the route table, including the routes of modules.
 */
export function createEdge(ports: EdgePorts, table: readonly Route[] = ROUTES): Edge {
  const { config, storage, access } = ports;
  const routes = new Routes(table, config);
  const serve: Serve = (incoming) => dispatch(incoming, ports);
  const serveGuarded = guarded(
    config,
    access,
    storage === undefined ? serve : whileStorable(storage, config.appendBytesMax, serve),
  );
  return {
    async answer(request, background) {
      const startedAt = performance.now();
      const found = routes.find(request);
      ports.onRouted?.(request, destinationOf(request, found, config));
      const { answer, error } = await outcomeOf(request, () => serveGuarded({ request, background, found }));
      addCorsHeaders(answer, request, await corsOrigins(ports, request, found.project));
      const { status } = answer;
      const notes = notesOf(request);
      if (isLogged(config.logLevel, status, notes.change !== undefined)) {
        logRequest({
          method: request.method,
          path: rawPath(request.url),
          status,
          durationMs: performance.now() - startedAt,
          requestId: requestIdOf(request),
          ...notes,
          trace: traceOf(request),
          objectId: status >= 500 ? objectIdOf(ports, found) : undefined,
          error,
        });
      }
      return request.method === "HEAD" ? withoutBody(answer) : answer;
    },
  };
}

/** Refuses what would store more while the disk takes no more, and says so of a write that failed because of that. */
function whileStorable(storage: StorageStatus, bytesMax: number, serve: Serve): Serve {
  return async (incoming) => {
    const { request } = incoming;
    if (request.method === "GET" || request.method === "HEAD") return serve(incoming);
    const refusal = await refuseStoring(storage, request, rawPath(request.url), bytesMax);
    if (refusal !== undefined) return refusedAnswer(request, refusal);
    try {
      const answer = await serve(incoming);
      // An object that could not write is gone, and does not answer: the next request may need what the host can free.
      if (answer.status === 503) await storage.faultNow();
      return answer;
    } catch (error) {
      return refusedAnswer(request, await refuseFailedWrite(storage, error));
    }
  };
}

/** Who is let in at all, before anybody asks for what. */
function guarded(config: Config, access: Access, serve: Serve): Serve {
  if (config.originSecret !== "") return behindProxy(config.originSecret, serve);
  // A Worker that is mounted with a hook decides by itself whom it serves.
  return access === "everybody" && isOnlyForLoopback(config) ? onlyLoopback(config, serve) : serve;
}

async function outcomeOf(request: HttpRequest, serve: () => Answer | Promise<Answer>): Promise<Outcome> {
  try {
    return { answer: await serve() };
  } catch (error) {
    if (isUnsent(error)) return { answer: problemAnswer(request, refuseUnsent().problem), error };
    const { problem } = refuse("internal", "The server failed to complete the request.", {
      headers: { "Retry-After": "1" },
    });
    return { answer: problemAnswer(request, problem), error };
  }
}

/** Removes the body of an answer to HEAD, and cancels the stream that would produce it. */
async function withoutBody(answer: Answer): Promise<Answer> {
  await cancelBody(answer);
  return { ...answer, body: null };
}

function destinationOf({ method }: HttpRequest, { routes, project, target }: Found, config: Config): Destination {
  const route = routes.get(method) ?? routes.values().next().value;
  return { route: route && pathIn(route.path, config), project, stream: target?.stream };
}

/** Of the stream that was asked for. On one machine it is the name of its file. */
function objectIdOf({ streams }: EdgePorts, { target }: Found): string | undefined {
  return target === undefined ? undefined : streams.idOf(target.objectName);
}
