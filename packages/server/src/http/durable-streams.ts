/** The server as a library: mount it in a Worker of your own. */

import { parseConfig } from "../config.ts";
import type { StreamDO } from "../stream/object.ts";
import { createApp } from "./app.ts";
import { AppendBatcher } from "./append-batcher.ts";
import { defaultAuthorize, type Authorize } from "./authorize.ts";

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
  const apps = new WeakMap<Env, ReturnType<typeof createApp>>();
  const appOf = (env: Env): ReturnType<typeof createApp> => {
    const known = apps.get(env);
    if (known !== undefined) return known;
    const config = parseConfig(env);
    const app = createApp({
      config,
      authorize: options.authorize ?? defaultAuthorize(config.authMode),
      streams: env.STREAMS,
      appends: new AppendBatcher(),
    });
    apps.set(env, app);
    return app;
  };
  return { fetch: async (request, env, context) => appOf(env).fetch(request, env, context) };
}
