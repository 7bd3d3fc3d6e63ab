/**
 * Every route of the server: what it needs, and which kinds of objects it may call. It is put together from the tables that the
 * dispatchers work by, which serve nothing that is not in them; tests walk it.
 */

import type { Config } from "@durable-streams-cloudflare/core/config";
import { REGISTRY_STREAM } from "@durable-streams-cloudflare/protocol";

import { SCOPE_OF_METHOD, type Scope } from "./auth/authorize.ts";
import { parseControlPath } from "./paths/control-path.ts";
import { ESTUARY_ROOT, parseEstuaryPath, type EstuaryPath } from "./paths/estuary-path.ts";
import { isStreamPath, parseTarget, rawPath, STREAM_ROOT } from "./paths/target.ts";
import type { HttpRequest } from "./ports.ts";
import { ESTUARY_ROUTES } from "./routes/estuaries.ts";
import { PROBES } from "./routes/probes.ts";
import { PROJECT_ROUTES, PROJECTS_ROOT, projectMethods } from "./routes/projects.ts";
import { SUBSCRIPTION_ROUTES, subscriptionMethods } from "./routes/subscriptions.ts";

/** The bindings of objects. */
export type Touched = "STREAMS" | "PROJECTS" | "CONSUMERS" | "ESTUARIES" | "SUBSCRIPTIONS";

export interface DeclaredRoute {
  readonly method: string;
  /** With `:project`, `:stream`, `:session`, `:id` and `:item` for what differs. */
  readonly path: string;
  /** `admin`: ADMIN_SECRET. `wake`: a wake's token. `nothing`: everybody may ask. */
  readonly needs: Scope | "admin" | "wake" | "nothing";
  /** Which objects the edge may call for whoever has that right; for all others it calls none. */
  readonly touches: readonly Touched[];
}

const ESTUARY_PATHS: Readonly<Record<EstuaryPath["kind"], string>> = {
  subscribe: `${ESTUARY_ROOT}/subscribe/:project/:stream`,
  followers: `${ESTUARY_ROOT}/subscribe/:project/:stream?kid=:item`,
  subscriptions: `${ESTUARY_ROOT}/:project/:session/subscriptions`,
  estuary: `${ESTUARY_ROOT}/:project/:session`,
  touch: `${ESTUARY_ROOT}/:project/:session/touch`,
};

/** With `TENANCY=path`; in the other one `/:project` is left out, except below `/v1/projects`. */
export const ROUTES: readonly DeclaredRoute[] = [
  ...["/", ...PROBES].map((path) => ({ method: "GET", path, needs: "nothing" as const, touches: [] })),
  ...Object.entries(SCOPE_OF_METHOD).map(([method, needs]) => ({
    method,
    path: `${STREAM_ROOT}:project/:stream`,
    needs,
    // A creation asks the project how many streams it has.
    touches: ["STREAMS", "PROJECTS"] as const,
  })),
  ...SUBSCRIPTION_ROUTES.map(({ method, pattern, needs }) => ({
    method,
    path: `${STREAM_ROOT}:project/__ds/${pattern}`,
    needs,
    touches: ["CONSUMERS", "PROJECTS"] as const,
  })),
  ...PROJECT_ROUTES.map(({ method, pattern, needs }) => ({
    method,
    path: PROJECTS_ROOT + pattern,
    needs,
    touches: ["PROJECTS", "STREAMS"] as const,
  })),
  ...ESTUARY_ROUTES.map(({ method, kind, needs }) => ({
    method,
    path: ESTUARY_PATHS[kind],
    needs,
    touches: ["ESTUARIES", "STREAMS", "PROJECTS", "SUBSCRIPTIONS"] as const,
  })),
];

/** The methods that the server knows at a URL, OPTIONS apart; none where there is nothing. */
export function methodsAt({ url }: Pick<HttpRequest, "url">, tenancy: Config["tenancy"]): readonly string[] {
  const path = rawPath(url);
  if (path === "/" || PROBES.includes(path)) return withHead(["GET"]);
  if (path === PROJECTS_ROOT || path.startsWith(`${PROJECTS_ROOT}/`)) return projectMethods(path);
  if (path.startsWith(`${ESTUARY_ROOT}/`)) {
    const estuary = parseEstuaryPath(url, tenancy);
    return estuary.ok ? methodsOf(ESTUARY_ROUTES.filter(({ kind }) => kind === estuary.kind)) : [];
  }
  if (!isStreamPath(path)) return [];
  const target = parseTarget(url, tenancy);
  if (target.ok) return target.stream === REGISTRY_STREAM ? withHead(["GET"]) : Object.keys(SCOPE_OF_METHOD);
  const control = parseControlPath(path, tenancy);
  return control === undefined ? [] : subscriptionMethods(control.segments);
}

function methodsOf(routes: readonly { readonly method: string }[]): readonly string[] {
  return routes.map(({ method }) => method);
}

function withHead(methods: readonly string[]): readonly string[] {
  return methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]));
}
