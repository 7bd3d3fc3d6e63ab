import { createExecutionContext, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";

import { createDurableStreams, type Authorize, type LiveReads, type StreamDO } from "../../src/index.ts";

/** A server and one stream of it, both new. */
export interface Edge {
  /** Calls the server with the stream's URL. */
  fetch(query?: string, init?: RequestInit): Promise<Response>;
  /** A new stub of the stream's object. */
  stub(): DurableObjectStub<StreamDO>;
  readonly liveReads: LiveReads;
}

interface EdgeOptions {
  readonly vars?: Readonly<Record<string, string>>;
  readonly authorize?: Authorize;
  /** What the edge, but not the object, has for R2; `null`: nothing. */
  readonly segments?: R2Bucket | null;
}

export function newEdge({ vars = {}, authorize, segments = env.SEGMENTS }: EdgeOptions = {}): Edge {
  const name = `test/${crypto.randomUUID()}`;
  const server = createDurableStreams(authorize === undefined ? {} : { authorize });
  const { SEGMENTS: _, ...others } = env;
  const bound = segments === null ? {} : { SEGMENTS: segments };
  const bindings = { ...others, ...bound, TENANCY: "path", AUTH_MODE: "none", LOG_LEVEL: "off", ...vars };
  return {
    fetch: (query = "", init = {}) =>
      server.fetch(
        new Request(`https://streams.example/v1/stream/${name}${query}`, init),
        bindings,
        createExecutionContext(),
      ),
    stub: () => env.STREAMS.getByName(name),
    liveReads: server.liveReads,
  };
}

/** A new stream, made by PUT. */
export async function newStream(
  options: EdgeOptions & { contentType?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Edge> {
  const edge = newEdge(options);
  const { contentType = "text/plain", headers = {}, body } = options;
  const init = { method: "PUT", headers: { "Content-Type": contentType, ...headers } };
  const response = await edge.fetch("", body === undefined ? init : { ...init, body });
  if (response.status !== 201) throw new Error(`PUT was answered ${response.status}`);
  return edge;
}

export function append(edge: Edge, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  return edge.fetch("", { method: "POST", body, headers: { "Content-Type": "text/plain", ...headers } });
}

export function close(edge: Edge): Promise<Response> {
  return edge.fetch("", { method: "POST", headers: { "Stream-Closed": "true" } });
}

export async function content(edge: Edge): Promise<string> {
  const response = await edge.fetch("?offset=-1");
  return response.text();
}

/** The code of a problem response. */
export async function problemCode(response: Response): Promise<string> {
  const { code } = await response.json<{ code: string }>();
  return code;
}

/** Takes the object out of memory; throws when it was still the same afterwards. */
export async function evict(edge: Edge, webSockets: "hibernate" | "close" = "hibernate"): Promise<void> {
  const mark = crypto.randomUUID();
  await inObject(edge, (instance) => Object.assign(instance, { mark }));
  await evictDurableObject(edge.stub(), { webSockets });
  const found = await inObject(edge, (instance) => "mark" in instance);
  if (found) throw new Error("The object was not evicted.");
}

export function inObject<Found>(
  edge: Edge,
  look: (instance: StreamDO, state: DurableObjectState) => Found | Promise<Found>,
): Promise<Found> {
  return runInDurableObject(edge.stub(), look);
}

/** How many live readers the object knows. */
export function readersOf(edge: Edge): Promise<number> {
  return inObject(edge, (_, state) => state.getWebSockets().length);
}
