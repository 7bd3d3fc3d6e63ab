/** The routes of the protocol's subscriptions [PROTOCOL §6, §7], as rows of the route table. */

import type { Config } from "@durable-streams-cloudflare/core/config";
import type { WakeSubscriptionApi } from "@durable-streams-cloudflare/core/contracts/wakes";
import { controlPathOf } from "@durable-streams-cloudflare/core/kit/control-path";
import { retryRpc, callOnce } from "@durable-streams-cloudflare/core/kit/retry-rpc";
import { refuseCallback } from "@durable-streams-cloudflare/core/outbound/callback-url";
import {
  isPlainLine,
  isSubscriptionId,
  parseStreamNames,
  parseSubscription,
  refuse,
  RESERVED_SEGMENT,
  type Refusal,
} from "@durable-streams-cloudflare/protocol";

import { answerJson, answerNothing, type Handled } from "../answers/answer.ts";
import type { Scope } from "../auth/authorize.ts";
import type { PublicKeys } from "../auth/public-keys.ts";
import type { WakeGuard } from "../auth/wake-guard.ts";
import {
  claimJson,
  deliveriesJson,
  parseAck,
  parseWake,
  parseWorker,
  refusedControl,
  subscriptionJson,
} from "../codec/subscription.ts";
import { readJson, type Json } from "../limits/json-body.ts";
import { refuseRequest } from "../limits/rate-limit.ts";
import { publicBaseOf } from "../paths/public-url.ts";
import type { HttpRequest } from "../ports.ts";
import { notesOf } from "../requests/request-notes.ts";
import type { ControlObjects } from "../routing/edge-ports.ts";
import { route, type Call, type Guard, type Route } from "../routing/route.ts";
import { STREAMS_ROOT } from "../routing/router.ts";

const BODY_BYTES_MAX = 1024 * 1024;
const PAGE = 100;

interface ControlCall {
  readonly request: HttpRequest;
  readonly config: Config;
  readonly project: string;
  readonly objects: ControlObjects;
  readonly wakes: WakeGuard;
  /** What a wake's own subscription verifies; `""` where no wake's token is needed. */
  readonly wakeToken: string;
  readonly keys: PublicKeys;
  /** Of the path; `""` where it names none. */
  readonly id: string;
  /** What stands behind `streams/`. */
  readonly stream: string;
  readonly body: Json;
}

interface ControlRoute {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** `:id` and `:stream` stand for any one segment. */
  readonly pattern: string;
  /** `wake`: the token of a wake, which the edge judges first, and then its subscription. `nothing`: everybody may do it. */
  readonly needs: Scope | "wake" | "nothing";
  readonly handle: (call: ControlCall) => Promise<Handled>;
}

/** Every route below `__ds`. */
const CONTROL_ROUTES: readonly ControlRoute[] = [
  { method: "GET", pattern: "jwks.json", needs: "nothing", handle: publishKeys },
  { method: "POST", pattern: "jwks/rotate", needs: "manage", handle: rotateKey },
  { method: "GET", pattern: "subscriptions", needs: "read", handle: list },
  { method: "PUT", pattern: "subscriptions/:id", needs: "manage", handle: create },
  { method: "GET", pattern: "subscriptions/:id", needs: "read", handle: describe },
  { method: "DELETE", pattern: "subscriptions/:id", needs: "manage", handle: remove },
  { method: "GET", pattern: "subscriptions/:id/deliveries", needs: "read", handle: deliveries },
  { method: "POST", pattern: "subscriptions/:id/streams", needs: "manage", handle: addStreams },
  { method: "DELETE", pattern: "subscriptions/:id/streams/:stream", needs: "manage", handle: removeStream },
  { method: "POST", pattern: "subscriptions/:id/callback", needs: "wake", handle: (call) => ack(call, "webhook") },
  { method: "POST", pattern: "subscriptions/:id/claim", needs: "write", handle: claim },
  { method: "POST", pattern: "subscriptions/:id/ack", needs: "wake", handle: (call) => ack(call, "pull-wake") },
  { method: "POST", pattern: "subscriptions/:id/release", needs: "wake", handle: release },
];

export const SUBSCRIPTION_ROUTES: readonly Route[] = CONTROL_ROUTES.map((control) =>
  route(
    {
      method: control.method,
      path: `${STREAMS_ROOT}:project/${RESERVED_SEGMENT}/${control.pattern}`,
      needs: control.needs,
      touches: ["CONSUMERS", "PROJECTS"],
    },
    {
      guard: guardControl(control),
      handle: (call) => handleControl(call, control),
      refused: (request, { problem }) => refusedControl(request, problem),
    },
  ),
);

/** What a wake's own subscription verifies; `""` where no wake's token is needed. */
type WakeToken = string;

function guardControl({ needs, method, pattern }: ControlRoute): Guard<WakeToken> {
  return async ({ request, project, params }, { authorize, limiter, wakes }) => {
    if (needs === "nothing") return { ok: true, access: "" };
    if (needs === "wake") {
      const opened = await wakes.open(request, project, decode(params["id"]));
      return opened.ok ? { ok: true, access: opened.token } : opened;
    }
    const id = params["id"];
    const collection = pattern.split("/").slice(0, id === undefined ? 2 : 1);
    const stream = [RESERVED_SEGMENT, ...collection, ...(id === undefined ? [] : [decode(id)])].join("/");
    const granted = await authorize({ request, project, stream, scope: needs });
    if (!granted.ok) return granted;
    if (needs === "manage") notesOf(request).change = `${method} ${RESERVED_SEGMENT}/${pattern}`;
    const tooMany = await refuseRequest(limiter, granted.limits, project, 1);
    return tooMany ?? { ok: true, access: "" };
  };
}

async function handleControl(
  { request, project, params, ports, access: wakeToken }: Call<WakeToken>,
  { handle }: ControlRoute,
): Promise<Handled> {
  const { config, control, wakes, keys } = ports;
  if (control === undefined) return refuse("route-not-found", "This server has no subscriptions.");
  const id = decode(params["id"]);
  if (params["id"] !== undefined && !isSubscriptionId(id))
    return refuse("subscription-invalid", "The subscription's id is empty, too long, or contains control characters.");
  const body = await readJson(request, { bytesMax: BODY_BYTES_MAX, secondsMax: config.bodyTimeoutSeconds });
  if (!body.ok) return body;
  const stream = decode(params["stream"]);
  return handle({ request, config, project, objects: control, wakes, wakeToken, keys, id, stream, body: body.json });
}

/** The router is given segments that `encodeURIComponent` has made. */
function decode(segment = ""): string {
  return decodeURIComponent(segment);
}

function subscriptionOf({ objects, project, id }: ControlCall): WakeSubscriptionApi {
  return objects.subscriptions.getByName(`${project}/${id}`);
}

/** [PROTOCOL §6.5] */
async function publishKeys({ objects, project, wakes, keys: known, request }: ControlCall): Promise<Handled> {
  const found = await wakes.isKnown(project, request);
  if (!found.ok) return found;
  // A project that is not there looks like one without webhooks.
  const keys = found.isKnown ? await known.of(project, () => objects.projects.getByName(project).publicKeys()) : [];
  const headers = { "Content-Type": "application/jwk-set+json", "Cache-Control": "public, max-age=300" };
  return { ok: true, answer: answerJson({ keys }, 200, headers) };
}

async function rotateKey({ objects, project, keys }: ControlCall): Promise<Handled> {
  const rotated = await objects.projects.getByName(project).rotateSigningKey();
  keys.forget(project);
  return rotated.ok ? answer({ kid: rotated.kid }) : rotated;
}

async function list({ objects, project, request }: ControlCall): Promise<Handled> {
  const after = new URL(request.url).searchParams.get("cursor") ?? "";
  const { subscriptions, cursor } = await objects.projects.getByName(project).listSubscriptions(after, PAGE);
  const items = subscriptions.map(({ id, type, pattern, createdAtMs }) => ({
    id,
    type,
    pattern,
    created_at: new Date(createdAtMs).toISOString(),
  }));
  return answer({ subscriptions: items, cursor });
}

/** [PROTOCOL §6.2] */
async function create(call: ControlCall): Promise<Handled> {
  // Only here: a subscription that has such an id already is described, worked for and deleted.
  if (!isPlainLine(call.id)) return refuseId();
  const parsed = parseSubscription(call.body);
  if (!parsed.ok) return parsed;
  const base = publicBaseOf(call.request, call.config);
  const controlUrl = base.url + controlPathOf(call.project, call.config);
  const refused = parsed.config.type === "webhook" ? refuseCallback(controlUrl, base.isKnown) : undefined;
  if (refused !== undefined) return refused;
  const created = await callOnce(() => subscriptionOf(call).create({ config: parsed.config, controlUrl }));
  return created.ok ? answer(subscriptionJson(created.subscription), created.created ? 201 : 200) : created;
}

function refuseId(): Refusal {
  return refuse(
    "subscription-invalid",
    "A new subscription's id must not contain control characters, line separators or text-direction marks.",
  );
}

async function describe(call: ControlCall): Promise<Handled> {
  const described = await retryRpc(() => subscriptionOf(call).describe());
  return described.ok ? answer(subscriptionJson(described.subscription)) : described;
}

async function deliveries(call: ControlCall): Promise<Handled> {
  const report = await retryRpc(() => subscriptionOf(call).deliveries());
  return report.ok ? answer(deliveriesJson(report)) : report;
}

async function remove(call: ControlCall): Promise<Handled> {
  const removed = await callOnce(async () => {
    await subscriptionOf(call).remove();
    return { ok: true };
  });
  return removed.ok ? noContent() : removed;
}

/** [PROTOCOL §6.4] */
async function addStreams(call: ControlCall): Promise<Handled> {
  const parsed = parseStreamNames(call.body["streams"]);
  if (!parsed.ok) return parsed;
  if (parsed.streams.length === 0) return refuse("subscription-invalid", "streams must name at least one stream.");
  const added = await callOnce(() => subscriptionOf(call).addStreams(parsed.streams));
  return added.ok ? noContent() : added;
}

async function removeStream(call: ControlCall): Promise<Handled> {
  const parsed = parseStreamNames([call.stream]);
  if (!parsed.ok) return parsed;
  const removed = await callOnce(() => subscriptionOf(call).removeStream(parsed.streams[0] ?? ""));
  return removed.ok ? noContent() : removed;
}

/** [PROTOCOL §7.2] Not called again: that the first call had taken the lease would look like another worker's. */
async function claim(call: ControlCall): Promise<Handled> {
  const parsed = parseWorker(call.body);
  if (!parsed.ok) return parsed;
  const claimed = await subscriptionOf(call).claim(parsed.worker);
  if (!claimed.ok) return claimed;
  const tagged = await call.wakes.tag(claimed.token, call.project, call.request);
  return tagged.ok ? answer(claimJson({ ...claimed, token: tagged.token })) : tagged;
}

async function ack(call: ControlCall, via: "webhook" | "pull-wake"): Promise<Handled> {
  const parsed = parseAck(call.body, via, call.wakeToken);
  if (!parsed.ok) return parsed;
  const acked = await subscriptionOf(call).ack(parsed.command);
  return acked.ok ? answer({ ok: true, next_wake: acked.nextWake }) : acked;
}

async function release(call: ControlCall): Promise<Handled> {
  const parsed = parseWake(call.body, "pull-wake", call.wakeToken);
  if (!parsed.ok) return parsed;
  const released = await subscriptionOf(call).release(parsed.command);
  return released.ok ? noContent() : released;
}

function answer(json: object, status = 200): Handled {
  return { ok: true, answer: answerJson(json, status) };
}

function noContent(): Handled {
  return { ok: true, answer: answerNothing() };
}
