/** The edge: which path goes where, and what every response has in common. */

import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";
import type { Context } from "hono";
import { Hono } from "hono/tiny";

import type { Config } from "../config.ts";
import type { StreamDO } from "../stream/object.ts";
import { isLogged, logRequest } from "../telemetry/log.ts";
import type { AppendBatcher, KeepAlive } from "./append-batcher.ts";
import { SCOPE_OF_METHOD, type Authorize } from "./authorize.ts";
import { discardBody } from "./body.ts";
import { addCommonHeaders, preflightResponse } from "./cors.ts";
import { problemResponse } from "./problem-response.ts";
import { handleStream, refuseMethod, withoutBareForbidden } from "./routes/streams.ts";
import { StreamClient } from "./stream-client.ts";
import { parseTarget, rawPath, STREAM_ROOT } from "./target.ts";

export interface AppPorts {
  readonly appends: AppendBatcher;
  readonly config: Config;
  readonly authorize: Authorize;
  readonly streams: DurableObjectNamespace<StreamDO>;
}

/** `requestId`: in the log line, and in the body of a server fault, so that a report leads to its line. */
interface AppEnv {
  Variables: { requestId: string | undefined };
}

/** Builds the Hono app. It keeps no state between requests. */
export function createApp(ports: AppPorts): Hono<AppEnv> {
  const { config } = ports;
  const app = new Hono<AppEnv>();
  app.use(async (context, next) => {
    const request = context.req.raw;
    const startedAt = performance.now();
    await next();
    addCommonHeaders(context.res.headers, request, config.corsOrigins);
    const { status } = context.res;
    if (!isLogged(config.logLevel, status)) return;
    const durationMs = performance.now() - startedAt;
    const requestId = requestIdOf(context);
    logRequest({
      method: request.method,
      path: rawPath(request.url),
      status,
      durationMs,
      requestId,
      error: context.error,
    });
  });
  app.get("/healthz", () => statusResponse("ok"));
  app.get("/readyz", () => statusResponse("ready"));
  app.options("*", () => preflightResponse());
  app.all("/healthz", (context) => refused(context.req.raw, refuseStatusMethod()));
  app.all("/readyz", (context) => refused(context.req.raw, refuseStatusMethod()));
  app.all(`${STREAM_ROOT}*`, (context) =>
    serveStream(ports, context.req.raw, (promise) => context.executionCtx.waitUntil(promise)),
  );
  app.notFound((context) => {
    const detail = `Streams are below ${STREAM_ROOT}.`;
    return withoutHeadBody(context.req.raw, problemResponse(refuse("route-not-found", detail).problem));
  });
  app.onError((_error, context) => {
    const { problem } = refuse("internal", "The request could not be completed.", { headers: { "Retry-After": "1" } });
    return problemResponse(problem, requestIdOf(context));
  });
  return app;
}

async function serveStream(ports: AppPorts, request: Request, keepAlive: KeepAlive): Promise<Response> {
  const startedAt = performance.now();
  const { config } = ports;
  const target = parseTarget(request.url, config.tenancy);
  if (!target.ok) return refused(request, target);
  const scope = SCOPE_OF_METHOD[request.method];
  if (scope === undefined) return refused(request, refuseMethod());
  const granted = await ports.authorize({ request, project: target.project, stream: target.stream, scope });
  if (!granted.ok) return refused(request, withoutBareForbidden(request, granted));
  const stream = new StreamClient(ports.streams, target.objectName);
  const { appends, authorize } = ports;
  const handled = await handleStream({ request, config, target, stream, appends, keepAlive, authorize, granted });
  const response = handled.ok ? handled.response : await refused(request, handled);
  if (wantsTiming(request, config))
    response.headers.set("Server-Timing", timing(stream.objectMs, performance.now() - startedAt));
  return response;
}

async function refused(request: Request, { problem }: Refusal): Promise<Response> {
  await discardBody(request);
  return withoutHeadBody(request, problemResponse(problem));
}

function withoutHeadBody(request: Request, response: Response): Response {
  return request.method === "HEAD" ? new Response(null, response) : response;
}

function statusResponse(status: string): Response {
  return Response.json({ status }, { headers: { "Cache-Control": "no-store" } });
}

function refuseStatusMethod(): Refusal {
  return refuse("method-not-allowed", "A status can only be read.", { headers: { Allow: "GET, HEAD, OPTIONS" } });
}

/** Made only for those requests that need one. */
function requestIdOf(context: Context<AppEnv>): string {
  const known = context.get("requestId");
  if (known !== undefined) return known;
  const requestId = context.req.header("CF-Ray") ?? crypto.randomUUID();
  context.set("requestId", requestId);
  return requestId;
}

function wantsTiming(request: Request, config: Config): boolean {
  if (config.serverTiming === "on-request") return request.headers.has("Stream-Server-Timing");
  return config.serverTiming === "always";
}

function timing(objectMs: number, totalMs: number): string {
  return `object;dur=${objectMs.toFixed(1)}, total;dur=${totalMs.toFixed(1)}`;
}
