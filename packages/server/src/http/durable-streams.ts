/** The server as a library: mount it in a Worker of your own. */

import { parseConfig } from "../config.ts";
import type { StreamDO } from "../stream/object.ts";
import { AppendBatcher } from "./append-batcher.ts";
import { defaultAuthorize, type Authorize } from "./authorize.ts";
import { createEdge, type Edge } from "./edge.ts";

/** What the server needs of a Worker's environment: one binding, and any of the settings as vars. */
export interface DurableStreamsEnv {
  readonly STREAMS: DurableObjectNamespace<StreamDO>;
}

export interface DurableStreamsOptions {
  /** Decides who may do what; without it, `AUTH_MODE` does. */
  readonly authorize?: Authorize;
}

export interface DurableStreams<Env extends DurableStreamsEnv> {
  fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response>;
}

/**
 * Makes the fetch handler. Settings are read once per environment.
 * @throws ConfigError from `fetch` when a setting is out of its bounds; nothing is served then.
 * @example
 * export { StreamDO } from "@durable-streams-cloudflare/server";
 * export default createDurableStreams({ authorize: ({ request }) => mine(request) });
 */
export function createDurableStreams<Env extends DurableStreamsEnv = DurableStreamsEnv>(
  options: DurableStreamsOptions = {},
): DurableStreams<Env> {
  const edges = new WeakMap<Env, Edge>();
  const edgeOf = (env: Env): Edge => {
    const known = edges.get(env);
    if (known !== undefined) return known;
    const config = parseConfig(env);
    const edge = createEdge({
      config,
      authorize: options.authorize ?? defaultAuthorize(config.authMode),
      streams: env.STREAMS,
      appends: new AppendBatcher(),
    });
    edges.set(env, edge);
    return edge;
  };
  return { fetch: async (request, env, context) => edgeOf(env).fetch(request, context) };
}
