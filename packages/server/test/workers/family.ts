import { createExecutionContext, runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";

import { createDurableStreams } from "../../src/index.ts";
import { inObject, type Edge } from "./edge.ts";

/** One of several streams of one project. */
export interface Relative extends Edge {
  /** What `Stream-Forked-From` says of it. */
  readonly path: string;
  readonly name: string;
}

/** A project of its own, whose streams may be forked from each other. */
export class Family {
  readonly #project = crypto.randomUUID();
  readonly #server = createDurableStreams();
  readonly #vars: Readonly<Record<string, string>>;

  constructor(vars: Readonly<Record<string, string>> = {}) {
    this.#vars = vars;
  }

  /** @param stream its name as in a URL. */
  stream(stream: string): Relative {
    const path = `/v1/stream/${this.#project}/${stream}`;
    const name = `${this.#project}/${decodeURIComponent(stream)}`;
    const bindings = { ...env, TENANCY: "path", AUTH_MODE: "none", LOG_LEVEL: "off", ...this.#vars };
    return {
      path,
      name,
      fetch: (query = "", init = {}) =>
        this.#server.fetch(
          new Request(`https://streams.example${path}${query}`, init),
          bindings,
          createExecutionContext(),
        ),
      stub: () => env.STREAMS.getByName(name),
      liveReads: this.#server.liveReads,
    };
  }

  async create(stream: string, headers: Record<string, string> = {}, body?: string): Promise<Relative> {
    const relative = this.stream(stream);
    const response = await put(relative, { "Content-Type": "text/plain", ...headers }, body);
    if (response.status !== 201) throw new Error(`PUT of ${stream} was answered ${response.status}`);
    return relative;
  }

  /** A fork at its source's tail, unless the headers say otherwise. */
  async fork(stream: string, source: Relative, headers: Record<string, string> = {}): Promise<Relative> {
    const fork = this.stream(stream);
    const response = await put(fork, { "Stream-Forked-From": source.path, ...headers });
    if (response.status !== 201) throw new Error(`PUT of fork ${stream} was answered ${response.status}`);
    return fork;
  }
}

export function put(stream: Edge, headers: Record<string, string>, body?: string): Promise<Response> {
  return stream.fetch("", body === undefined ? { method: "PUT", headers } : { method: "PUT", headers, body });
}

export async function statusOf(stream: Edge, method: string): Promise<number> {
  const init = method === "POST" ? { method, body: "x", headers: { "Content-Type": "text/plain" } } : { method };
  const response = await stream.fetch("", init);
  await response.body?.cancel();
  return response.status;
}

export async function tailOf(stream: Edge): Promise<string> {
  const response = await stream.fetch("", { method: "HEAD" });
  return response.headers.get("Stream-Next-Offset") ?? "";
}

/** Whether the object stores nothing at all, alarm included. */
export async function isBlank(edge: Edge): Promise<boolean> {
  return inObject(edge, async (_, { storage }) => {
    const tables = storage.sql.exec("SELECT name FROM sqlite_master").toArray();
    return tables.length === 0 && (await storage.getAlarm()) === null;
  });
}

/** Fires the alarms of all, again and again, until none of them has one. */
export async function fireAllAlarms(streams: readonly Edge[]): Promise<void> {
  for (let rounds = 0; rounds < 1_000; rounds += 1) {
    const fired = await Promise.all(streams.map((stream) => runDurableObjectAlarm(stream.stub())));
    if (!fired.includes(true)) return;
  }
  throw new Error("The alarms never come to rest.");
}
