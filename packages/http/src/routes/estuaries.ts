/** The HTTP API of estuaries: one table that says what each route needs. What is not in it is not served. */

import type { Config } from "@durable-streams-cloudflare/core/config";
import type {
  EstuaryApi,
  SourceResult,
  SubscribeResult,
  SubscriptionApi,
} from "@durable-streams-cloudflare/core/contracts/fan-out";
import { retryRpc, callOnce } from "@durable-streams-cloudflare/core/kit/retry-rpc";
import { isSessionId, refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import { answerJson, answerNothing, type Answer, type Handled } from "../answers/answer.ts";
import { refusedAnswer } from "../answers/problem.ts";
import { refuseMethod } from "../answers/refuse-method.ts";
import type { Authorize, Granted, Scope } from "../auth/authorize.ts";
import { subscribe } from "../client/subscribe.ts";
import {
  byName,
  isoTime,
  parseSources,
  parseSubscribe,
  refuseSources,
  resultView,
  SOURCES_MAX,
  type WantedSource,
} from "../codec/estuary.ts";
import { readJson, type Json } from "../limits/json-body.ts";
import { refuseRequest, type RateLimiter } from "../limits/rate-limit.ts";
import type { CountersOf } from "../limits/stream-quota.ts";
import { ESTUARY_ROOT, parseEstuaryPath, type EstuaryPath } from "../paths/estuary-path.ts";
import { STREAM_ROOT } from "../paths/target.ts";
import type { HttpRequest, Objects, StreamObjects } from "../ports.ts";
import { endFollowers, listFollowers, type SourceCall } from "./followers.ts";

const BODY_BYTES_MAX = 1024 * 1024;
/** Of a body that must be read before anybody knows whose it is. */
const STRANGERS_BODY_BYTES_MAX = 16 * 1024;
const STRANGERS_BODY_SECONDS_MAX = 5;

export interface EstuaryPorts {
  readonly config: Config;
  readonly authorize: Authorize;
  /** The sessions' own streams, and their sources. */
  readonly streams: StreamObjects;
  readonly limiter: RateLimiter;
  readonly counters: CountersOf | undefined;
  /** `undefined`: this server has no estuaries. */
  readonly estuaries: Objects<EstuaryApi> | undefined;
  /** Who follows a source; together with `estuaries`. */
  readonly followers: Objects<SubscriptionApi> | undefined;
}

interface SessionCall {
  readonly ports: EstuaryPorts;
  readonly request: HttpRequest;
  readonly project: string;
  readonly granted: Granted;
  readonly estuary: EstuaryApi;
  readonly estuaryId: string;
  /** Of the path; `""` where it names none. */
  readonly source: string;
  readonly body: Json;
}

interface RouteContext {
  readonly method: "GET" | "POST" | "DELETE";
  readonly kind: EstuaryPath["kind"];
  /** The scope that the bearer's token needs for the session's stream, or for the source. */
  readonly needs: Scope;
}

/** To follow a source takes `read` on that besides. */
interface SessionRoute extends RouteContext {
  readonly whose: "session";
  handle(call: SessionCall): Promise<Handled>;
}

interface SourceRoute extends RouteContext {
  readonly whose: "source";
  handle(call: SourceCall): Promise<Result<{ json: object }>>;
}

export type EstuaryRoute = SessionRoute | SourceRoute;

/** Every route below `/v1/estuary`. */
export const ESTUARY_ROUTES: readonly EstuaryRoute[] = [
  { method: "POST", kind: "subscribe", whose: "session", needs: "write", handle: subscribeOne },
  { method: "DELETE", kind: "subscribe", whose: "session", needs: "write", handle: unsubscribeOne },
  { method: "GET", kind: "subscribe", whose: "source", needs: "manage", handle: listFollowers },
  { method: "DELETE", kind: "followers", whose: "source", needs: "manage", handle: endFollowers },
  { method: "POST", kind: "subscriptions", whose: "session", needs: "write", handle: subscribeMany },
  { method: "DELETE", kind: "subscriptions", whose: "session", needs: "write", handle: unsubscribeMany },
  { method: "GET", kind: "estuary", whose: "session", needs: "read", handle: describe },
  { method: "DELETE", kind: "estuary", whose: "session", needs: "manage", handle: remove },
  { method: "POST", kind: "touch", whose: "session", needs: "read", handle: touch },
];

export async function serveEstuaries(ports: EstuaryPorts, request: HttpRequest): Promise<Answer> {
  const served = await serveRoute(ports, request);
  return served.ok ? served.answer : refusedAnswer(request, served);
}

async function serveRoute(ports: EstuaryPorts, request: HttpRequest): Promise<Handled> {
  const path = parseEstuaryPath(request.url, ports.config.tenancy);
  if (!path.ok) return path;
  const found = routeOf(request.method, path.kind);
  if (!found.ok) return found;
  const { route } = found;
  if (route.whose === "source") return serveSource(ports, request, route, path);
  // Where the path names the session, nobody's body is read who has no right to it.
  return "estuary" in path ? serveNamed(ports, request, route, path) : serveUnnamed(ports, request, route, path);
}

async function serveSource(
  { authorize, limiter, estuaries, followers }: EstuaryPorts,
  request: HttpRequest,
  route: SourceRoute,
  path: EstuaryPath,
): Promise<Handled> {
  const { project } = path;
  const source = "source" in path ? path.source : "";
  const granted = await authorize({ request, project, stream: source, scope: route.needs, isBearerOnly: true });
  if (!granted.ok) return granted;
  // Whoever manages the source can act, however busy the project is.
  const tooMany = await refuseRequest(limiter, granted.limits, `${project}/${source}`, 1, "management");
  if (tooMany !== undefined) return tooMany;
  if (estuaries === undefined || followers === undefined) return refuseNoEstuaries();
  const query = new URL(request.url).searchParams;
  const call = { project, source, query, followers: () => followers.getByName(`${project}/${source}`) };
  const served = await route.handle(call);
  return served.ok ? answer(served.json) : served;
}

async function serveNamed(
  ports: EstuaryPorts,
  request: HttpRequest,
  route: SessionRoute,
  { project, estuary }: EstuaryPath & { readonly estuary: string },
): Promise<Handled> {
  const granted = await authorizeSession(ports, request, route, project, estuary);
  if (!granted.ok) return granted;
  const body = await readJson(request, limitOf(ports, BODY_BYTES_MAX));
  return serveSession(ports, request, route, { project, estuary, source: "", granted, body });
}

async function serveUnnamed(
  ports: EstuaryPorts,
  request: HttpRequest,
  route: SessionRoute,
  path: EstuaryPath,
): Promise<Handled> {
  const { project } = path;
  const source = "source" in path ? path.source : "";
  const { bytesMax, secondsMax } = limitOf(ports, STRANGERS_BODY_BYTES_MAX);
  const body = await readJson(request, { bytesMax, secondsMax: Math.min(secondsMax, STRANGERS_BODY_SECONDS_MAX) });
  const estuary = body.ok ? body.json["estuaryId"] : undefined;
  // Who may not do this is told so, whatever is wrong with the request.
  const granted = await authorizeSession(ports, request, route, project, estuary);
  return granted.ok ? serveSession(ports, request, route, { project, estuary, source, granted, body }) : granted;
}

/** A right to a session is a bearer's: neither what everybody may read counts, nor what stands in a URL. */
async function authorizeSession(
  { authorize }: EstuaryPorts,
  request: HttpRequest,
  { needs }: SessionRoute,
  project: string,
  estuary: unknown,
): Promise<Granted | Refusal> {
  const stream = isSessionId(estuary) ? estuary : "";
  const granted = await authorize({ request, project, stream, scope: needs, isBearerOnly: true });
  if (!granted.ok || granted.incarnation === undefined) return granted;
  return refuse(
    "forbidden",
    "The token is bound to one particular stream, so it cannot be used for a session of the same name.",
  );
}

interface Addressed {
  readonly project: string;
  readonly estuary: unknown;
  readonly source: string;
  readonly granted: Granted;
  readonly body: Result<{ json: Json }>;
}

async function serveSession(
  ports: EstuaryPorts,
  request: HttpRequest,
  route: SessionRoute,
  { project, estuary: estuaryId, source, granted, body }: Addressed,
): Promise<Handled> {
  const { limiter, estuaries } = ports;
  const tooMany = await refuseRequest(limiter, granted.limits, project, body.ok ? countSources(body.json) : 1);
  if (tooMany !== undefined) return tooMany;
  if (!body.ok) return body;
  if (!isSessionId(estuaryId)) return refuseEstuaryId();
  if (estuaries === undefined) return refuseNoEstuaries();
  const estuary = estuaries.getByName(`${project}/${estuaryId}`);
  return route.handle({ ports, request, project, granted, estuary, estuaryId, source, body: body.json });
}

function limitOf({ config }: EstuaryPorts, bytesMax: number) {
  return { bytesMax, secondsMax: config.bodyTimeoutSeconds };
}

/** Each source that a call names is as much work as a request. */
function countSources({ sources }: Json): number {
  return Array.isArray(sources) ? Math.min(Math.max(sources.length, 1), SOURCES_MAX) : 1;
}

function routeOf(method: string, kind: EstuaryPath["kind"]): Result<{ route: EstuaryRoute }> {
  const matching = ESTUARY_ROUTES.filter((route) => route.kind === kind);
  const route = matching.find((candidate) => candidate.method === method);
  if (route !== undefined) return { ok: true, route };
  return refuseMethod(
    "This route",
    matching.map((candidate) => candidate.method),
  );
}

async function subscribeOne(call: SessionCall): Promise<Handled> {
  const subscribed = await subscribeAll(call, [{ name: call.source, from: undefined }]);
  if (!subscribed.ok) return subscribed;
  const [result] = subscribed.results;
  if (result?.ok !== true) return result ?? refuseSources();
  return answer({
    estuaryId: call.estuaryId,
    source: result.source,
    offset: result.offset,
    ...viewOf(call, subscribed),
  });
}

async function subscribeMany(call: SessionCall): Promise<Handled> {
  const sources = parseSources(call.body["sources"]);
  if (!sources.ok) return sources;
  const subscribed = await subscribeAll(call, sources.sources);
  if (!subscribed.ok) return subscribed;
  const results = subscribed.results.map(resultView);
  return answer({ estuaryId: call.estuaryId, results, ...viewOf(call, subscribed) });
}

async function subscribeAll(call: SessionCall, sources: readonly WantedSource[]): Promise<Result<SubscribeResult>> {
  const options = parseSubscribe(call.body, Date.now());
  return options.ok ? subscribe(call, sources, options) : options;
}

async function unsubscribeOne(call: SessionCall): Promise<Handled> {
  const unsubscribed = await unsubscribe(call, [call.source]);
  if (!unsubscribed.ok) return unsubscribed;
  const failed = unsubscribed.results.find((result) => !result.ok);
  return failed?.ok === false ? { ok: false, problem: failed.problem } : noContent();
}

async function unsubscribeMany(call: SessionCall): Promise<Handled> {
  const sources = parseSources(call.body["sources"]);
  if (!sources.ok) return sources;
  const unsubscribed = await unsubscribe(
    call,
    sources.sources.map(({ name }) => name),
  );
  if (!unsubscribed.ok) return unsubscribed;
  return answer({ estuaryId: call.estuaryId, results: unsubscribed.results.map(resultView) });
}

async function unsubscribe(
  { project, estuary }: SessionCall,
  sources: readonly string[],
): Promise<Result<{ results: readonly SourceResult[] }>> {
  const names = sources.map((source) => `${project}/${source}`);
  const unsubscribed = await callOnce(() => estuary.unsubscribe(names));
  if (!unsubscribed.ok) return unsubscribed;
  return { ok: true, results: unsubscribed.results.map((result) => byName(project, result)[1]) };
}

async function describe(call: SessionCall): Promise<Handled> {
  const result = await retryRpc(() => call.estuary.describe());
  if (!result.ok) return result;
  const subscriptions = result.subscriptions.map(({ source, expiresAtMs, ...rest }) => ({
    source: source.slice(call.project.length + 1),
    ...rest,
    ...((expiresAtMs ?? null) === null ? {} : { expiresAt: isoTime(expiresAtMs ?? 0) }),
  }));
  return answer({ estuaryId: call.estuaryId, subscriptions, ...viewOf(call, result) });
}

async function touch(call: SessionCall): Promise<Handled> {
  const result = await retryRpc(() => call.estuary.touch());
  return result.ok ? answer({ estuaryId: call.estuaryId, expiresAt: isoTime(result.deadlineMs) }) : result;
}

async function remove(call: SessionCall): Promise<Handled> {
  const removed = await callOnce(() => call.estuary.remove());
  return removed.ok ? noContent() : removed;
}

/** The session, as whoever will read it needs to know it. */
function viewOf(
  { ports, project, estuaryId }: SessionCall,
  { contentType, deadlineMs }: Pick<SubscribeResult, "contentType" | "deadlineMs">,
): object {
  const path = ports.config.tenancy === "single" ? estuaryId : `${project}/${estuaryId}`;
  return { stream: STREAM_ROOT + path, contentType, expiresAt: isoTime(deadlineMs) };
}

function answer(json: object): Handled {
  return { ok: true, answer: answerJson(json) };
}

function noContent(): Handled {
  return { ok: true, answer: answerNothing() };
}

function refuseEstuaryId(): Refusal {
  return refuse("subscription-invalid", "estuaryId must have 1 to 128 characters: letters, digits and . _ ~ : @ -", {
    hint: `Send {"estuaryId": "…"}, or put it in the path after ${ESTUARY_ROOT}.`,
  });
}

function refuseNoEstuaries(): Refusal {
  return refuse("route-not-found", "This server has no estuaries.");
}
