/**
 * The HTTP API of estuaries. Rights to a session, or to a source's followers, are accepted only from a bearer token, never from
 * the URL.
 */

import { isSessionId, refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import { answerJson, type Handled } from "../answers/answer.ts";
import type { Granted, Scope } from "../auth/authorize.ts";
import { SOURCES_MAX } from "../codec/estuary.ts";
import { readJson, type Json } from "../limits/json-body.ts";
import { refuseRequest } from "../limits/rate-limit.ts";
import { parseNamedTarget } from "../paths/target.ts";
import type { HttpRequest } from "../ports.ts";
import type { EdgePorts } from "../routing/edge-ports.ts";
import { route, type Call, type DeclaredRoute, type Guard, type Route, type Routed } from "../routing/route.ts";
import { ESTUARY_ROOT } from "../routing/router.ts";
import { endFollowers, FOLLOWER_FILTERS, listFollowers, type SourceCall } from "./followers.ts";
import {
  describe,
  remove,
  subscribeMany,
  subscribeOne,
  touch,
  unsubscribeMany,
  unsubscribeOne,
  type SessionCall,
} from "./session-operations.ts";

const BODY_BYTES_MAX = 1024 * 1024;
/** Of a body that must be read before anybody knows whose it is. */
const STRANGERS_BODY_BYTES_MAX = 16 * 1024;
const STRANGERS_BODY_SECONDS_MAX = 5;

/** Begins the paths that name a source rather than a session. */
const SUBSCRIBE = "subscribe";
const SOURCE_PATH = `${ESTUARY_ROOT}/${SUBSCRIBE}/:project/:stream{.+}`;
const SESSION_PATH = `${ESTUARY_ROOT}/:project/:session`;
const TOUCHES = ["ESTUARIES", "STREAMS", "PROJECTS", "SUBSCRIPTIONS"];

type Method = DeclaredRoute["method"];
type SessionOperation = (call: SessionCall) => Promise<Handled>;
type SourceOperation = (call: SourceCall) => Promise<Result<{ json: object }>>;

/** The routes below `/v1/estuary`. Following a source also needs the right `read` on the source. */
export const ESTUARY_ROUTES: readonly Route[] = [
  sessionOfBody("POST", "write", subscribeOne),
  sessionOfBody("DELETE", "write", unsubscribeOne),
  sourceRoute("GET", listFollowers),
  sourceRoute("DELETE", endFollowers, FOLLOWER_FILTERS),
  sessionOfPath("POST", "/subscriptions", "write", subscribeMany),
  sessionOfPath("DELETE", "/subscriptions", "write", unsubscribeMany),
  sessionOfPath("GET", "", "read", describe),
  sessionOfPath("DELETE", "", "manage", remove),
  sessionOfPath("POST", "/touch", "read", touch),
];

function sessionOfPath(method: Method, action: string, needs: Scope, operate: SessionOperation): Route {
  const declared = { method, path: SESSION_PATH + action, needs, touches: TOUCHES };
  return route(declared, { guard: guardNamed(needs), handle: (call) => operateOnSession(call, operate) });
}

function sessionOfBody(method: Method, needs: Scope, operate: SessionOperation): Route {
  const declared = { method, path: SOURCE_PATH, needs, touches: TOUCHES };
  return route(declared, { guard: guardUnnamed(needs), handle: (call) => operateOnSession(call, operate) });
}

/** For whoever manages the source. */
function sourceRoute(method: Method, operate: SourceOperation, parameters?: readonly string[]): Route {
  const declared = { method, path: SOURCE_PATH, needs: "manage", touches: TOUCHES } as const;
  return route(parameters === undefined ? declared : { ...declared, parameters }, {
    guard: guardSource,
    handle: (call) => operateOnSource(call, operate),
  });
}

interface SessionAccess {
  readonly project: string;
  /** As it was sent: it may be anything. */
  readonly estuaryId: unknown;
  readonly source: string;
  readonly granted: Granted;
  readonly body: Result<{ json: Json }>;
}

/** Where the path names the session, nobody's body is read who has no right to it. */
function guardNamed(needs: Scope): Guard<SessionAccess> {
  return async ({ request, project, params }, ports) => {
    const estuaryId = params["session"];
    const first = ports.config.tenancy === "single" ? estuaryId : project;
    if (first === SUBSCRIBE) return refuse("path-invalid", "The path must name a stream, the source to follow.");
    const granted = await authorizeSession(ports, request, needs, project, estuaryId);
    if (!granted.ok) return granted;
    const body = await readJson(request, limitOf(ports, BODY_BYTES_MAX));
    return limited({ project, estuaryId, source: "", granted, body }, ports);
  };
}

function guardUnnamed(needs: Scope): Guard<SessionAccess> {
  return async ({ request, ...place }, ports) => {
    const target = parseNamedTarget(place.project, place.params["stream"] ?? "", ports.config);
    if (!target.ok) return target;
    const { project, stream: source } = target;
    const { bytesMax, secondsMax } = limitOf(ports, STRANGERS_BODY_BYTES_MAX);
    const body = await readJson(request, { bytesMax, secondsMax: Math.min(secondsMax, STRANGERS_BODY_SECONDS_MAX) });
    const estuaryId = body.ok ? body.json["estuaryId"] : undefined;
    // A caller without the right is refused first, whatever is wrong with the request.
    const granted = await authorizeSession(ports, request, needs, project, estuaryId);
    return granted.ok ? limited({ project, estuaryId, source, granted, body }, ports) : granted;
  };
}

async function limited(access: SessionAccess, { limiter }: EdgePorts): Promise<Result<{ access: SessionAccess }>> {
  const { granted, project, body } = access;
  const tooMany = await refuseRequest(limiter, granted.limits, project, body.ok ? countSources(body.json) : 1);
  return tooMany ?? { ok: true, access };
}

/** A right to a session is a bearer's: neither what everybody may read counts, nor what stands in a URL. */
async function authorizeSession(
  { authorize }: EdgePorts,
  request: HttpRequest,
  needs: Scope,
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

async function operateOnSession(
  { request, ports, access }: Call<SessionAccess>,
  operate: SessionOperation,
): Promise<Handled> {
  const { project, source, granted, estuaryId, body } = access;
  if (!body.ok) return body;
  if (!isSessionId(estuaryId)) return refuseEstuaryId();
  if (ports.estuaries === undefined) return refuseNoEstuaries();
  const estuary = ports.estuaries.getByName(`${project}/${estuaryId}`);
  return operate({ ports, request, project, granted, estuary, estuaryId, source, body: body.json });
}

interface SourceAccess {
  readonly project: string;
  readonly source: string;
}

async function guardSource({ request, ...place }: Routed, ports: EdgePorts): Promise<Result<{ access: SourceAccess }>> {
  const target = parseNamedTarget(place.project, place.params["stream"] ?? "", ports.config);
  if (!target.ok) return target;
  const { project, stream: source } = target;
  const granted = await ports.authorize({ request, project, stream: source, scope: "manage", isBearerOnly: true });
  if (!granted.ok) return granted;
  // Whoever manages the source can act, however busy the project is.
  const tooMany = await refuseRequest(ports.limiter, granted.limits, `${project}/${source}`, 1, "management");
  return tooMany ?? { ok: true, access: { project, source } };
}

async function operateOnSource(
  { request, ports, access: { project, source } }: Call<SourceAccess>,
  operate: SourceOperation,
): Promise<Handled> {
  const { estuaries, followers } = ports;
  if (estuaries === undefined || followers === undefined) return refuseNoEstuaries();
  const query = new URL(request.url).searchParams;
  const call = { project, source, query, followers: () => followers.getByName(`${project}/${source}`) };
  const operated = await operate(call);
  return operated.ok ? { ok: true, answer: answerJson(operated.json) } : operated;
}

function limitOf({ config }: Pick<EdgePorts, "config">, bytesMax: number) {
  return { bytesMax, secondsMax: config.bodyTimeoutSeconds };
}

/** Each source that a call names is as much work as a request. */
function countSources({ sources }: Json): number {
  return Array.isArray(sources) ? Math.min(Math.max(sources.length, 1), SOURCES_MAX) : 1;
}

function refuseEstuaryId(): Refusal {
  return refuse("subscription-invalid", "estuaryId must have 1 to 128 characters: letters, digits and . _ ~ : @ -", {
    hint: `Send {"estuaryId": "…"}, or put it in the path after ${ESTUARY_ROOT}.`,
  });
}

function refuseNoEstuaries(): Refusal {
  return refuse("route-not-found", "This server has no estuaries.");
}
