/** Subscribes a session to sources: checks who may read which, creates what is missing, and decides where each link begins. */

import type {
  EstuaryApi,
  SourceResult,
  SubscribeCommand,
  SubscribeResult,
} from "@durable-streams-cloudflare/core/contracts/fan-out";
import { asRepeat, REPEATED_MS_MAX } from "@durable-streams-cloudflare/core/contracts/request-id";
import { mapConcurrent } from "@durable-streams-cloudflare/core/kit/map-concurrent";
import { callOnce, refuseUnanswered } from "@durable-streams-cloudflare/core/kit/retry-rpc";
import {
  isPlainLine,
  refuse,
  REGISTRY_STREAM,
  type OffsetRef,
  type Refusal,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import type { Authorize, Granted } from "../auth/authorize.ts";
import { emptyCreate } from "../codec/create.ts";
import { byName, type SubscribeOptions, type WantedSource } from "../codec/estuary.ts";
import { refuseCreation, type CountersOf } from "../limits/stream-quota.ts";
import type { HttpRequest, StreamObjects } from "../ports.ts";
import { StreamClient } from "./stream-client.ts";

/** Streams that are made at once. */
const CREATIONS_MAX = 16;

/** The context of a request that subscribes a session. */
export interface Subscriber {
  readonly request: HttpRequest;
  readonly project: string;
  readonly estuaryId: string;
  /** What the request was granted for the session. */
  readonly granted: Granted;
  readonly estuary: EstuaryApi;
  readonly ports: {
    readonly config: { readonly sessionTtlSeconds: number };
    readonly authorize: Authorize;
    readonly streams: StreamObjects;
    readonly counters: CountersOf | undefined;
  };
}

/**
 * Subscribes the session to each source that the client may read, and creates missing sources if the request says so. Returns
 * one result per source, in the order of `sources`.
 */
export async function subscribe(
  subscriber: Subscriber,
  sources: readonly WantedSource[],
  options: SubscribeOptions,
): Promise<Result<SubscribeResult>> {
  const { ports, request, project } = subscriber;
  const results = new Map<string, SourceResult>();
  for (const { name } of sources) {
    const granted = await ports.authorize({ request, project, stream: name, scope: "read" });
    if (!granted.ok) results.set(name, { source: name, ...granted });
  }
  const allowed = sources.filter(({ name }) => !results.has(name));
  const [first] = results.values();
  if (allowed.length === 0 && first?.ok === false) return { ok: false, problem: first.problem };
  const tooMany = await refuseSession(subscriber);
  if (tooMany !== undefined) return tooMany;
  const followed = await follow(subscriber, allowed, options);
  // A session cannot follow itself; made as an ordinary stream, its name could never become a session's.
  const creatable = allowed.filter(({ name }) => name !== subscriber.estuaryId);
  const missing = options.create === undefined ? [] : missingIn(project, creatable, followed);
  const made = await createAll(subscriber, missing, options.create, results);
  const again = made.length === 0 ? followed : await follow(subscriber, made, options);
  // The streams are there by now, so the refusal alone, which says that nothing was done, would be untrue.
  if (!again.ok) return made.length === 0 ? again : refuseRest(followed, made, again);
  for (const each of [followed, again].filter(({ ok }) => ok) as SubscribeResult[]) {
    for (const result of each.results) {
      const [name, view] = byName(project, result);
      if (view.ok || results.get(name)?.ok !== false) results.set(name, view);
    }
  }
  return { ...again, results: sources.flatMap(({ name }) => results.get(name) ?? []) };
}

/** What was created is reported as refused, each by itself; and what was followed before is reported, too. */
function refuseRest(
  followed: Result<SubscribeResult>,
  made: readonly WantedSource[],
  { problem }: Refusal,
): Result<SubscribeResult> {
  if (!followed.ok) return refuseUnanswered();
  const refused = made.map(({ name }): SourceResult => ({ source: name, ok: false, problem }));
  const isMade = new Set(made.map(({ name }) => name));
  return { ...followed, results: [...followed.results.filter(({ source }) => !isMade.has(source)), ...refused] };
}

/** To follow something makes the session, which is a stream as any other, unless it is there. */
function refuseSession({ ports, project, granted, estuaryId }: Subscriber): Promise<Refusal | undefined> {
  const { counters, streams } = ports;
  const stream = new StreamClient(streams, `${project}/${estuaryId}`);
  return refuseCreation({ counters, granted, project, stream, bytes: 0 });
}

function follow(
  { ports, project, granted, estuary }: Subscriber,
  sources: readonly WantedSource[],
  { format, from, expiresAtMs }: SubscribeOptions,
): Promise<Result<SubscribeResult>> {
  const { kid = null, user = null } = granted.by ?? {};
  const froms = Object.fromEntries(
    sources.flatMap((source) => (source.from === undefined ? [] : [[`${project}/${source.name}`, source.from]])),
  ) as Readonly<Record<string, OffsetRef>>;
  const command: SubscribeCommand = {
    sources: sources.map(({ name }) => `${project}/${name}`),
    format,
    from,
    froms,
    ttlSeconds: ports.config.sessionTtlSeconds,
    grant: { kid, user, expiresAtMs },
  };
  // An object of the release before would leave out what it does not know: it knows no `join`.
  const isNew = expiresAtMs !== null || Object.keys(froms).length > 0;
  return callOnce(() => (isNew ? estuary.join(command) : estuary.subscribe(command)));
}

/** A session that has no type yet could not be made of sources none of which is there. */
function missingIn(
  project: string,
  sources: readonly WantedSource[],
  followed: Result<SubscribeResult>,
): readonly WantedSource[] {
  if (!followed.ok) return followed.problem.code === "stream-not-found" ? sources : [];
  const missing = new Set(
    followed.results.flatMap((result) =>
      !result.ok && result.problem.code === "stream-not-found" ? [byName(project, result)[0]] : [],
    ),
  );
  return sources.filter(({ name }) => missing.has(name));
}

/**
 * Makes streams, each with the right to write it.
 * @param results gets what could not be created.
 * @returns those that are there now. Nothing that is appended to one that was made by this is missed.
 */
async function createAll(
  subscriber: Subscriber,
  sources: readonly WantedSource[],
  create: SubscribeOptions["create"],
  results: Map<string, SourceResult>,
): Promise<readonly WantedSource[]> {
  const made: WantedSource[] = [];
  await mapConcurrent(sources, CREATIONS_MAX, async (source) => {
    const created = await createOne(subscriber, source.name, create?.contentType);
    if (!created.ok) results.set(source.name, { source: source.name, ...created });
    else made.push(created.created ? { ...source, from: { kind: "start" } } : source);
  });
  return made;
}

async function createOne(
  { ports, request, project }: Subscriber,
  name: string,
  contentType: string | undefined,
): Promise<Result<{ created: boolean }>> {
  if (name === REGISTRY_STREAM) return refuse("method-not-allowed", "Only the server writes to this stream.");
  if (!isPlainLine(name))
    return refuse("path-invalid", "A new stream's name must be one line without invisible characters.");
  const granted = await ports.authorize({ request, project, stream: name, scope: "write" });
  if (!granted.ok) return granted;
  const parsed = emptyCreate(contentType, granted.defaults);
  if (!parsed.ok) return parsed;
  const stream = new StreamClient(ports.streams, `${project}/${name}`);
  const tooMany = await refuseCreation({ counters: ports.counters, granted, project, stream, bytes: 0 });
  if (tooMany !== undefined) return tooMany;
  return stream.call((stub, repeatedAfterMs) => stub.create(asRepeat(parsed.command, repeatedAfterMs)), {
    repeatedMsMax: REPEATED_MS_MAX,
  });
}
