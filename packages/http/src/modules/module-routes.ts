/** Turns the routes of a module into rows of the route table, which are guarded, limited and logged like the server's own. */

import type { PathConfig } from "@durable-streams-cloudflare/core/kit/control-path";
import { refuse, REGISTRY_STREAM, RESERVED_SEGMENT, type Result } from "@durable-streams-cloudflare/protocol";

import { addVary, type Handled } from "../answers/answer.ts";
import { NO_STORE } from "../answers/cache-control.ts";
import type { Granted, Scope } from "../auth/authorize.ts";
import { corsOrigins } from "../auth/project-cors.ts";
import { StreamClient } from "../client/stream-client.ts";
import { readJson } from "../limits/json-body.ts";
import { refuseRequest } from "../limits/rate-limit.ts";
import { parseNamedTarget } from "../paths/target.ts";
import { notesOf } from "../requests/request-notes.ts";
import { OPEN, route, type Call, type Guard, type Place, type Route } from "../routing/route.ts";
import { connect } from "./connect.ts";
import type { ModuleCall, ModuleRoute, ModuleSpec, ObjectClasses } from "./module-types.ts";

type AnyRoute = ModuleRoute<ObjectClasses, unknown>;
type AnyCall = ModuleCall<ObjectClasses, unknown>;

/** The rows of the route table for a module. */
export function routesOf(module: ModuleSpec): readonly Route[] {
  return module.routes.map((each) => routeOf(module, each));
}

function routeOf({ name }: ModuleSpec, each: AnyRoute): Route {
  switch (each.of) {
    case "nothing":
      return route(each, {
        guard: OPEN,
        handle: (call) => handled(call, name, { granted: undefined, handle: (own) => each.handle(own) }),
      });
    case "project":
      return route(each, {
        guard: guardScope(name, each),
        handle: (call) => {
          const { project, granted } = call.access;
          return handled(call, name, { granted, handle: (own) => each.handle({ ...own, project, granted }) });
        },
      });
    case "stream":
      return route(each, {
        guard: guardScope(name, each),
        handle: (call) => {
          const { project, granted, stream: named } = call.access;
          const stream = new StreamClient(call.ports.streams, `${project}/${named}`, granted.incarnation);
          return handled(call, name, { granted, handle: (own) => each.handle({ ...own, project, granted, stream }) });
        },
      });
  }
}

interface ScopeAccess {
  readonly project: string;
  /** Decoded. */
  readonly stream: string;
  readonly granted: Granted;
}

function guardScope(module: string, each: AnyRoute & { readonly needs: Scope }): Guard<ScopeAccess> {
  return async ({ request, ...place }, { authorize, limiter, config }) => {
    const named = each.of === "stream" ? streamOf(place, each, config) : wholeProject(place, module);
    if (!named.ok) return named;
    const { project, stream } = named;
    const granted = await authorize({ request, project, stream, scope: each.needs });
    if (!granted.ok) return granted;
    if (each.needs === "manage" && each.method !== "GET") notesOf(request).change = `${each.method} ${each.path}`;
    const tooMany = await refuseRequest(limiter, granted.limits, project, 1, granted.budget);
    return tooMany ?? { ok: true, access: { project, stream, granted } };
  };
}

type Named = Result<{ readonly project: string; readonly stream: string }>;

function streamOf(
  { project, params }: Pick<Place, "project" | "params">,
  { needs }: AnyRoute,
  config: PathConfig,
): Named {
  const target = parseNamedTarget(project, params["stream"] ?? "", config);
  const isWrite = needs !== "read";
  return target.ok && target.stream === REGISTRY_STREAM && isWrite
    ? refuse("path-reserved", "Only the server writes to this stream.")
    : target;
}

/** A whole project is asked about by a reserved name, as its subscriptions are. */
function wholeProject({ project }: Pick<Place, "project">, module: string): Named {
  return { ok: true, project, stream: `${RESERVED_SEGMENT}/${module}` };
}

/** Nothing that a module answers is cached unless it says so, and never what one user has read for another. */
async function handled(
  { request, background, params, project, ports }: Call<unknown>,
  module: string,
  { granted, handle }: { readonly granted: Granted | undefined; readonly handle: (own: AnyCall) => Promise<Handled> },
): Promise<Handled> {
  const own = ports.modules.get(module);
  const decoded = decodeAll(params);
  if (own === undefined || decoded === undefined)
    return refuse("path-invalid", "The path is not percent-encoded correctly.");
  const { bodyTimeoutSeconds: secondsMax } = ports.config;
  const result = await handle({
    request,
    background,
    params: decoded,
    query: new URL(request.url).searchParams,
    settings: own.settings,
    objects: own.objects,
    count: (name, by) => own.counts.add(name, by),
    connect: async (binding, name, connecting = {}) => {
      const objects = own.objects[binding];
      if (objects === undefined) throw new Error(`The module ${module} has no objects with the binding ${binding}.`);
      return connect(request, await corsOrigins(ports, request, project), { objects, name }, connecting);
    },
    readJson: (bytesMax) => readJson(request, { bytesMax, secondsMax }),
  });
  if (!result.ok) return result;
  const { answer } = result;
  answer.headers["Cache-Control"] ??= NO_STORE;
  if (granted?.isPublic === false) addVary(answer, "Authorization");
  return result;
}

function decodeAll(params: Place["params"]): Readonly<Record<string, string>> | undefined {
  try {
    return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, decodeURIComponent(value)]));
  } catch {
    return undefined;
  }
}
