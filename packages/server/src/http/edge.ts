/** The edge: what every request meets and every response has in common, whichever route it takes. */

import { refuse } from "@durable-streams-cloudflare/protocol";

import { isOnlyForLoopback, type Config } from "../config.ts";
import { isLogged, logRequest } from "../telemetry/log.ts";
import { createApp } from "./app.ts";
import { behindProxy, type Serve } from "./behind-proxy.ts";
import { addCommonHeaders } from "./cors.ts";
import { onlyLoopback } from "./only-loopback.ts";
import { problemResponse } from "./problem-response.ts";
import { corsOrigins } from "./project-cors.ts";
import type { EstuaryPorts } from "./routes/estuaries.ts";
import type { ProjectRoutePorts } from "./routes/projects.ts";
import { serveStream, type StreamPorts } from "./serve-stream.ts";
import { isStreamPath, rawPath } from "./target.ts";

export interface Edge {
  fetch(request: Request, context: ExecutionContext): Promise<Response>;
}

/** What became of a request. `error`: our own fault; the request id then leads from the client's report to the log. */
interface Outcome {
  readonly response: Response;
  readonly error?: unknown;
  readonly requestId?: string;
}

export interface EdgePorts extends StreamPorts, EstuaryPorts {
  /** `undefined`: this server has no registry of projects. */
  readonly projects: ProjectRoutePorts | undefined;
  /** Whether everybody may do everything: `AUTH_MODE=none`, and no hook that decides. */
  readonly isOpen: boolean;
}

/** Requests to streams are served directly: a router takes a twentieth of an append's time. All else goes to the app. */
export function createEdge(ports: EdgePorts): Edge {
  const app = createApp(ports.projects, ports);
  const { config } = ports;
  const serve: Serve = (request, context) =>
    request.method !== "OPTIONS" && isStreamPath(rawPath(request.url))
      ? serveStream(ports, request, context)
      : app.fetch(request);
  const answer = guarded(config, ports.isOpen, serve);
  return {
    async fetch(request, context) {
      const startedAt = performance.now();
      const { response, error, requestId } = await outcomeOf(request, () => answer(request, context));
      addCommonHeaders(response.headers, request, await corsOrigins(ports, request));
      const { status } = response;
      if (isLogged(config.logLevel, status)) {
        logRequest({
          method: request.method,
          path: rawPath(request.url),
          status,
          durationMs: performance.now() - startedAt,
          requestId: requestId ?? requestIdOf(request),
          error,
        });
      }
      return response;
    },
  };
}

/** Who is let in at all, before anybody asks for what. */
function guarded(config: Config, isOpen: boolean, serve: Serve): Serve {
  if (config.originSecret !== "") return behindProxy(config.originSecret, serve);
  // A Worker that is mounted with a hook decides by itself whom it serves.
  return isOpen && isOnlyForLoopback(config) ? onlyLoopback(config, serve) : serve;
}

async function outcomeOf(request: Request, answer: () => Response | Promise<Response>): Promise<Outcome> {
  try {
    return { response: await answer() };
  } catch (error) {
    const requestId = requestIdOf(request);
    const { problem } = refuse("internal", "The request could not be completed.", { headers: { "Retry-After": "1" } });
    return { response: problemResponse(problem, requestId), error, requestId };
  }
}

function requestIdOf(request: Request): string {
  return request.headers.get("CF-Ray") ?? crypto.randomUUID();
}
