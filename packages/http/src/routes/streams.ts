/** The routes of streams [PROTOCOL §5], and the guard that authorizes their requests. */

import type { Config } from "@durable-streams-cloudflare/core/config";

import { addVary, type Handled } from "../answers/answer.ts";
import { refusedAnswer } from "../answers/problem.ts";
import type { Scope } from "../auth/authorize.ts";
import { StreamClient } from "../client/stream-client.ts";
import type { Exchange } from "../exchange.ts";
import { refuseRequest } from "../limits/rate-limit.ts";
import type { HttpRequest } from "../ports.ts";
import { route, type Call, type DeclaredRoute, type Guard, type Route } from "../routing/route.ts";
import { STREAM_PATH } from "../routing/router.ts";
import { append, create, head, read, remove, withoutBareForbidden } from "./stream-operations.ts";

type Operation = (exchange: Exchange) => Promise<Handled>;

export const STREAM_ROUTES: readonly Route[] = [
  streamRoute("GET", "read", read),
  streamRoute("HEAD", "read", head),
  streamRoute("POST", "write", append),
  streamRoute("PUT", "write", create),
  streamRoute("DELETE", "manage", remove),
];

interface StreamAccess {
  readonly exchange: Exchange;
  readonly startedAt: number;
}

function streamRoute(method: DeclaredRoute["method"], needs: Scope, operate: Operation): Route {
  return route(
    // A creation asks the project how many streams it has.
    { method, path: STREAM_PATH, needs, touches: ["STREAMS", "PROJECTS"] },
    { guard: guardStream(needs), handle: (call) => operateOn(call, operate) },
  );
}

function guardStream(scope: Scope): Guard<StreamAccess> {
  return async ({ request, background, target }, ports) => {
    const startedAt = performance.now();
    if (target === undefined) throw new Error("A route of streams was found at a path that names no stream.");
    const { project, stream, objectName } = target;
    const granted = await ports.authorize({ request, project, stream, scope });
    if (!granted.ok) return withoutBareForbidden(request, granted);
    const limited = refuseRequest(ports.limiter, granted.limits, project, 1, granted.budget);
    const tooMany = limited === undefined ? undefined : await limited;
    if (tooMany !== undefined) return tooMany;
    const { config, appends, bodies, reads, liveReads, hubs, segments, limiter, counters, authorize } = ports;
    const shared = { config, appends, bodies, reads, liveReads, hubs, segments, limiter, counters, authorize };
    const client = new StreamClient(ports.streams, objectName, granted.incarnation);
    const keepAlive = (promise: Promise<unknown>): void => background.waitUntil(promise);
    const exchange = { ...shared, request, target, stream: client, keepAlive, granted };
    return { ok: true, access: { exchange, startedAt } };
  };
}

async function operateOn({ access }: Call<StreamAccess>, operate: Operation): Promise<Handled> {
  const { exchange, startedAt } = access;
  const { request, config, granted, stream } = exchange;
  const handled = await operate(exchange);
  const answer = handled.ok ? handled.answer : await refusedAnswer(request, handled);
  // A browser's own cache must not answer one user with what another has read.
  if (!granted.isPublic) addVary(answer, "Authorization");
  if (wantsTiming(request, config))
    answer.headers["Server-Timing"] = timing(stream.objectMs, performance.now() - startedAt);
  return { ok: true, answer };
}

function wantsTiming(request: HttpRequest, config: Config): boolean {
  if (config.serverTiming === "on-request") return request.headers.get("Stream-Server-Timing") !== null;
  return config.serverTiming === "always";
}

function timing(objectMs: number, totalMs: number): string {
  return `object;dur=${objectMs.toFixed(1)}, total;dur=${totalMs.toFixed(1)}`;
}
