/** The HTTP API of estuaries: one table that says what each route needs. What is not in it is not served. */

import {
  isSessionId,
  parseOffset,
  parseStreamName,
  refuse,
  type OffsetRef,
  type Refusal,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import type { Config } from "../../config.ts";
import type { EstuaryDO } from "../../estuary/object.ts";
import { callAgain } from "../../rpc/call-again.ts";
import type { EstuaryApi, LinkFormat, SourceResult, SubscribeFacts } from "../../rpc/fan-out.ts";
import type { StreamDO } from "../../stream/object.ts";
import type { Authorize, Granted, Scope } from "../authorize.ts";
import { parseEstuaryPath, ESTUARY_ROOT, type EstuaryPath } from "../estuary-path.ts";
import { readJson, type Json } from "../json-body.ts";
import { refusedResponse } from "../problem-response.ts";
import { refuseRequest, type RateLimiter } from "../rate-limit.ts";
import { refuseMethod } from "../refuse-method.ts";
import { StreamClient } from "../stream-client.ts";
import { refuseCreation, type CountersOf } from "../stream-quota.ts";
import { STREAM_ROOT } from "../target.ts";

const BODY_BYTES_MAX = 1024 * 1024;
/** Sources of one call. */
const SOURCES_MAX = 1_000;

export interface EstuaryPorts {
  readonly config: Config;
  readonly authorize: Authorize;
  /** The sessions' own streams. */
  readonly streams: DurableObjectNamespace<StreamDO>;
  readonly limiter: RateLimiter;
  readonly counters: CountersOf | undefined;
  /** `undefined`: this server has no estuaries. */
  readonly estuaries: DurableObjectNamespace<EstuaryDO> | undefined;
}

interface Call {
  readonly ports: EstuaryPorts;
  readonly request: Request;
  readonly project: string;
  readonly granted: Granted;
  readonly estuary: EstuaryApi;
  readonly estuaryId: string;
  /** Of the path; `""` where it names none. */
  readonly source: string;
  readonly body: Json;
}

type Handled = Result<{ readonly response: Response }>;

export interface EstuaryRoute {
  readonly method: "GET" | "POST" | "DELETE";
  readonly kind: EstuaryPath["kind"];
  /** The scope that the token needs for the session's stream; to follow a source takes `read` on that besides. */
  readonly needs: Scope;
  handle(call: Call): Promise<Handled>;
}

/** Every route below `/v1/estuary`. */
export const ESTUARY_ROUTES: readonly EstuaryRoute[] = [
  { method: "POST", kind: "subscribe", needs: "write", handle: subscribeOne },
  { method: "DELETE", kind: "subscribe", needs: "write", handle: unsubscribeOne },
  { method: "POST", kind: "subscriptions", needs: "write", handle: subscribeMany },
  { method: "DELETE", kind: "subscriptions", needs: "write", handle: unsubscribeMany },
  { method: "GET", kind: "estuary", needs: "read", handle: describe },
  { method: "DELETE", kind: "estuary", needs: "manage", handle: remove },
  { method: "POST", kind: "touch", needs: "read", handle: touch },
];

export async function serveEstuaries(ports: EstuaryPorts, request: Request): Promise<Response> {
  const served = await serveRoute(ports, request);
  return served.ok ? served.response : refusedResponse(request, served);
}

async function serveRoute(ports: EstuaryPorts, request: Request): Promise<Handled> {
  const { config, estuaries, authorize, limiter } = ports;
  const path = parseEstuaryPath(request.url, config.tenancy);
  if (!path.ok) return path;
  const route = routeOf(request.method, path.kind);
  if (!route.ok) return route;
  const body = await readJson(request, { bytesMax: BODY_BYTES_MAX, secondsMax: config.bodyTimeoutSeconds });
  const named = path.kind === "subscribe" ? (body.ok ? body.json["estuaryId"] : "") : path.estuary;
  // Who may not do this is told so, whatever is wrong with the request.
  const estuaryId = isSessionId(named) ? named : undefined;
  const { project } = path;
  const granted = await authorize({ request, project, stream: estuaryId ?? "", scope: route.route.needs });
  if (!granted.ok) return granted;
  const tooMany = await refuseRequest(limiter, granted.limits, project, body.ok ? countSources(body.json) : 1);
  if (tooMany !== undefined) return tooMany;
  if (!body.ok) return body;
  if (estuaryId === undefined) return refuseEstuaryId();
  if (estuaries === undefined) return refuse("route-not-found", "This server has no estuaries.");
  const estuary = estuaries.getByName(`${project}/${estuaryId}`);
  const source = path.kind === "subscribe" ? path.source : "";
  return route.route.handle({ ports, request, project, granted, estuary, estuaryId, source, body: body.json });
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

async function subscribeOne(call: Call): Promise<Handled> {
  const subscribed = await subscribe(call, [call.source]);
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

async function subscribeMany(call: Call): Promise<Handled> {
  const sources = parseSources(call.body["sources"]);
  if (!sources.ok) return sources;
  const subscribed = await subscribe(call, sources.sources);
  if (!subscribed.ok) return subscribed;
  const results = subscribed.results.map(resultView);
  return answer({ estuaryId: call.estuaryId, results, ...viewOf(call, subscribed) });
}

/** Subscribes to the sources that the client may read; one result for each, in their order. */
async function subscribe(call: Call, sources: readonly string[]): Promise<Result<SubscribeFacts>> {
  const { ports, request, project, estuary, body } = call;
  const options = parseOptions(body);
  if (!options.ok) return options;
  const refused = new Map<string, SourceResult>();
  for (const source of sources) {
    const granted = await ports.authorize({ request, project, stream: source, scope: "read" });
    if (!granted.ok) refused.set(source, { source, ...granted });
  }
  const allowed = sources.filter((source) => !refused.has(source)).map((source) => `${project}/${source}`);
  const [first] = refused.values();
  if (allowed.length === 0 && first?.ok === false) return { ok: false, problem: first.problem };
  const tooMany = await refuseSession(call);
  if (tooMany !== undefined) return tooMany;
  const { format, from } = options;
  const command = { sources: allowed, format, from, ttlSeconds: ports.config.sessionTtlSeconds };
  const subscribed = await callAgain(() => estuary.subscribe(command));
  if (!subscribed.ok) return subscribed;
  const results = new Map([...refused, ...subscribed.results.map((result) => byName(project, result))]);
  return { ...subscribed, results: sources.flatMap((source) => results.get(source) ?? []) };
}

/** To follow something makes the session, which is a stream as any other, unless it is there. */
function refuseSession({ ports, project, granted, estuaryId }: Call): Promise<Refusal | undefined> {
  const { counters, streams } = ports;
  const stream = new StreamClient(streams, `${project}/${estuaryId}`);
  return refuseCreation({ counters, granted, project, stream, bytes: 0 });
}

async function unsubscribeOne(call: Call): Promise<Handled> {
  const unsubscribed = await unsubscribe(call, [call.source]);
  if (!unsubscribed.ok) return unsubscribed;
  const failed = unsubscribed.results.find((result) => !result.ok);
  return failed?.ok === false ? { ok: false, problem: failed.problem } : noContent();
}

async function unsubscribeMany(call: Call): Promise<Handled> {
  const sources = parseSources(call.body["sources"]);
  if (!sources.ok) return sources;
  const unsubscribed = await unsubscribe(call, sources.sources);
  if (!unsubscribed.ok) return unsubscribed;
  return answer({ estuaryId: call.estuaryId, results: unsubscribed.results.map(resultView) });
}

async function unsubscribe(
  { project, estuary }: Call,
  sources: readonly string[],
): Promise<Result<{ results: readonly SourceResult[] }>> {
  const names = sources.map((source) => `${project}/${source}`);
  const unsubscribed = await callAgain(() => estuary.unsubscribe(names));
  if (!unsubscribed.ok) return unsubscribed;
  return { ok: true, results: unsubscribed.results.map((result) => byName(project, result)[1]) };
}

async function describe(call: Call): Promise<Handled> {
  const facts = await callAgain(() => call.estuary.describe());
  if (!facts.ok) return facts;
  const subscriptions = facts.subscriptions.map(({ source, ...rest }) => ({
    source: source.slice(call.project.length + 1),
    ...rest,
  }));
  return answer({ estuaryId: call.estuaryId, subscriptions, ...viewOf(call, facts) });
}

async function touch(call: Call): Promise<Handled> {
  const facts = await callAgain(() => call.estuary.touch());
  return facts.ok ? answer({ estuaryId: call.estuaryId, expiresAt: isoTime(facts.deadlineMs) }) : facts;
}

async function remove(call: Call): Promise<Handled> {
  const removed = await callAgain(() => call.estuary.remove());
  return removed.ok ? noContent() : removed;
}

/** `from`: where in a source to begin; `format`: how its messages stand in the session. */
function parseOptions({ from, format }: Json): Result<{ from: OffsetRef; format: LinkFormat }> {
  const offset = from === undefined ? parseOffset("now") : typeof from === "string" ? parseOffset(from) : undefined;
  if (offset === undefined) {
    return refuse("subscription-invalid", "from must be now, -1, or an offset of the source.", {
      hint: "Leave it out to begin with what comes.",
    });
  }
  if (format !== undefined && format !== "raw" && format !== "envelope") {
    return refuse("subscription-invalid", "format must be raw or envelope.");
  }
  return { ok: true, from: offset, format: format ?? "raw" };
}

function parseSources(sources: unknown): Result<{ sources: readonly string[] }> {
  if (!Array.isArray(sources) || sources.length === 0 || sources.length > SOURCES_MAX) return refuseSources();
  const names: string[] = [];
  for (const source of sources as readonly unknown[]) {
    const parsed =
      typeof source === "string" && source.isWellFormed() ? parseStreamName(encodeURIComponent(source)) : undefined;
    if (parsed?.ok !== true) return refuseSources();
    names.push(parsed.name);
  }
  return { ok: true, sources: [...new Set(names)] };
}

function byName(project: string, result: SourceResult): [string, SourceResult] {
  const source = result.source.slice(project.length + 1);
  return [source, { ...result, source }];
}

function resultView(result: SourceResult): object {
  const { source } = result;
  if (result.ok) return { source, ...(result.offset === undefined ? {} : { offset: result.offset }) };
  const { code, detail, hint } = result.problem;
  return { source, problem: { code, detail, ...(hint === undefined ? {} : { hint }) } };
}

/** The session, as whoever will read it needs to know it. */
function viewOf(
  { ports, project, estuaryId }: Call,
  { contentType, deadlineMs }: Pick<SubscribeFacts, "contentType" | "deadlineMs">,
): object {
  const path = ports.config.tenancy === "single" ? estuaryId : `${project}/${estuaryId}`;
  return { stream: STREAM_ROOT + path, contentType, expiresAt: isoTime(deadlineMs) };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

function answer(json: object): Handled {
  return { ok: true, response: Response.json(json, { headers: { "Cache-Control": "no-store" } }) };
}

function noContent(): Handled {
  return { ok: true, response: new Response(null, { status: 204, headers: { "Cache-Control": "no-store" } }) };
}

function refuseEstuaryId(): Refusal {
  return refuse("subscription-invalid", "estuaryId has 1 to 128 letters, digits and any of . _ ~ : @ -", {
    hint: `Send {"estuaryId": "…"}, or name it in the path below ${ESTUARY_ROOT}.`,
  });
}

function refuseSources(): Refusal {
  return refuse("subscription-invalid", `sources must be a list of 1 to ${SOURCES_MAX} names of streams.`);
}
