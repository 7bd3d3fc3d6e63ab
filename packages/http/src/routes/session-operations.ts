/** The operations on a session, for requests that are already authorized. */

import type { EstuaryApi, SourceResult, SubscribeResult } from "@durable-streams-cloudflare/core/contracts/fan-out";
import { retryRpc, callOnce } from "@durable-streams-cloudflare/core/kit/retry-rpc";
import type { Result } from "@durable-streams-cloudflare/protocol";

import { answerJson, answerNothing, type Handled } from "../answers/answer.ts";
import type { Granted } from "../auth/authorize.ts";
import { subscribe } from "../client/subscribe.ts";
import {
  byName,
  isoTime,
  parseSources,
  parseSubscribe,
  refuseSources,
  resultView,
  type WantedSource,
} from "../codec/estuary.ts";
import type { Json } from "../limits/json-body.ts";
import type { HttpRequest } from "../ports.ts";
import type { EdgePorts } from "../routing/edge-ports.ts";

/** An authorized request about one session. */
export interface SessionCall {
  readonly ports: EdgePorts;
  readonly request: HttpRequest;
  readonly project: string;
  readonly granted: Granted;
  readonly estuary: EstuaryApi;
  readonly estuaryId: string;
  /** The source in the path; `""` if the path names none. */
  readonly source: string;
  readonly body: Json;
}

/** Subscribes the session to the source in the path. */
export async function subscribeOne(call: SessionCall): Promise<Handled> {
  const subscribed = await subscribeAll(call, [{ name: call.source, from: undefined }]);
  if (!subscribed.ok) return subscribed;
  const [result] = subscribed.results;
  if (result?.ok !== true) return result ?? refuseSources();
  return answerOk({
    estuaryId: call.estuaryId,
    source: result.source,
    offset: result.offset,
    ...viewOf(call, subscribed),
  });
}

/** Subscribes the session to the sources in the body. The answer has one result per source. */
export async function subscribeMany(call: SessionCall): Promise<Handled> {
  const sources = parseSources(call.body["sources"]);
  if (!sources.ok) return sources;
  const subscribed = await subscribeAll(call, sources.sources);
  if (!subscribed.ok) return subscribed;
  const results = subscribed.results.map(resultView);
  return answerOk({ estuaryId: call.estuaryId, results, ...viewOf(call, subscribed) });
}

async function subscribeAll(call: SessionCall, sources: readonly WantedSource[]): Promise<Result<SubscribeResult>> {
  const options = parseSubscribe(call.body, Date.now());
  return options.ok ? subscribe(call, sources, options) : options;
}

/** Unsubscribes the session from the source in the path. */
export async function unsubscribeOne(call: SessionCall): Promise<Handled> {
  const unsubscribed = await unsubscribe(call, [call.source]);
  if (!unsubscribed.ok) return unsubscribed;
  const failed = unsubscribed.results.find((result) => !result.ok);
  return failed?.ok === false ? { ok: false, problem: failed.problem } : answerDone();
}

/** Unsubscribes the session from the sources in the body. The answer has one result per source. */
export async function unsubscribeMany(call: SessionCall): Promise<Handled> {
  const sources = parseSources(call.body["sources"]);
  if (!sources.ok) return sources;
  const unsubscribed = await unsubscribe(
    call,
    sources.sources.map(({ name }) => name),
  );
  if (!unsubscribed.ok) return unsubscribed;
  return answerOk({ estuaryId: call.estuaryId, results: unsubscribed.results.map(resultView) });
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

/** Describes the session and its sources. */
export async function describe(call: SessionCall): Promise<Handled> {
  const result = await retryRpc(() => call.estuary.describe());
  if (!result.ok) return result;
  const subscriptions = result.subscriptions.map(({ source, expiresAtMs, ...rest }) => ({
    source: source.slice(call.project.length + 1),
    ...rest,
    ...((expiresAtMs ?? null) === null ? {} : { expiresAt: isoTime(expiresAtMs ?? 0) }),
  }));
  return answerOk({ estuaryId: call.estuaryId, subscriptions, ...viewOf(call, result) });
}

/** Renews the session's lifetime. */
export async function touch(call: SessionCall): Promise<Handled> {
  const result = await retryRpc(() => call.estuary.touch());
  return result.ok ? answerOk({ estuaryId: call.estuaryId, expiresAt: isoTime(result.deadlineMs) }) : result;
}

/** Deletes the session and its stream. Its links end soon afterwards. */
export async function remove(call: SessionCall): Promise<Handled> {
  const removed = await callOnce(() => call.estuary.remove());
  return removed.ok ? answerDone() : removed;
}

/** The session, as whoever will read it needs to know it. */
function viewOf(
  { ports, project, estuaryId }: SessionCall,
  { contentType, deadlineMs }: Pick<SubscribeResult, "contentType" | "deadlineMs">,
): object {
  const { tenancy, streamRoot } = ports.config;
  const path = tenancy === "single" ? estuaryId : `${project}/${estuaryId}`;
  return { stream: streamRoot + path, contentType, expiresAt: isoTime(deadlineMs) };
}

function answerOk(json: object): Handled {
  return { ok: true, answer: answerJson(json) };
}

function answerDone(): Handled {
  return { ok: true, answer: answerNothing() };
}
