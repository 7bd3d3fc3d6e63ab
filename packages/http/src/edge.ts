/** The edge: what every request meets and every response has in common, whichever route it takes. */

import { isOnlyForLoopback, type Config } from "@durable-streams-cloudflare/core/config";
import { isLogged, logRequest } from "@durable-streams-cloudflare/core/kit/log";
import { isUnsent, refuseUnsent } from "@durable-streams-cloudflare/core/kit/retry-rpc";
import { refuse } from "@durable-streams-cloudflare/protocol";

import type { Answer } from "./answers/answer.ts";
import { addCorsHeaders } from "./answers/cors.ts";
import { problemAnswer, refusedAnswer } from "./answers/problem.ts";
import { createApp, type AppPorts } from "./app.ts";
import { behindProxy, type Serve } from "./auth/behind-proxy.ts";
import { onlyLoopback } from "./auth/only-loopback.ts";
import { refuseFailedWrite, refuseStoring, type StorageStatus } from "./limits/storage-status.ts";
import { isStreamPath, parseTargetPath, rawPath } from "./paths/target.ts";
import type { HttpRequest, Background } from "./ports.ts";
import { corsOrigins } from "./project-cors.ts";
import { notesOf, requestIdOf } from "./requests/request-notes.ts";
import type { Access } from "./routes/home.ts";
import type { ProjectRoutePorts } from "./routes/projects.ts";
import { serveStream, type StreamPorts } from "./serve-stream.ts";

export interface Edge {
  /** Its host sends `COMMON_HEADERS` besides. */
  answer(request: HttpRequest, background: Background): Promise<Answer>;
}

/** What became of a request. `error`: our own fault. */
interface Outcome {
  readonly answer: Answer;
  readonly error?: unknown;
}

export interface EdgePorts extends StreamPorts, AppPorts {
  readonly projects: ProjectRoutePorts | undefined;
}

/** Requests to streams are served directly: a router takes 5 % of an append's time. All else goes to the app. */
export function createEdge(ports: EdgePorts): Edge {
  const app = createApp(ports);
  const { config, storage, access } = ports;
  const serve: Serve = (request, background) =>
    request.method !== "OPTIONS" && isStreamPath(rawPath(request.url))
      ? serveStream(ports, request, background)
      : app(request);
  const serveGuarded = guarded(
    config,
    access,
    storage === undefined ? serve : whileStorable(storage, config.appendBytesMax, serve),
  );
  return {
    async answer(request, background) {
      const startedAt = performance.now();
      const { answer, error } = await outcomeOf(request, () => serveGuarded(request, background));
      addCorsHeaders(answer, request, await corsOrigins(ports, request));
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
          objectId: status >= 500 ? objectIdOf(ports, request) : undefined,
          error,
        });
      }
      return request.method === "HEAD" ? { ...answer, body: null } : answer;
    },
  };
}

/** Refuses what would store more while the disk takes no more, and says so of a write that failed because of that. */
function whileStorable(storage: StorageStatus, bytesMax: number, serve: Serve): Serve {
  return async (request, background) => {
    if (request.method === "GET" || request.method === "HEAD") return serve(request, background);
    const refusal = await refuseStoring(storage, request, rawPath(request.url), bytesMax);
    if (refusal !== undefined) return refusedAnswer(request, refusal);
    try {
      const answer = await serve(request, background);
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

/** Of the stream that was asked for. On one machine it is the name of its file. */
function objectIdOf({ streams, config }: EdgePorts, request: HttpRequest): string | undefined {
  const target = parseTargetPath(rawPath(request.url), config.tenancy);
  return target.ok ? streams.idOf(target.objectName) : undefined;
}
